// The geometry of cutting a part out of a picture.

import type { Region } from "lookalike-client";

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** What a drag does: begins anew, moves the part, or moves the edges it names by the points of the compass. */
export type Grip = "new" | "move" | "n" | "s" | "e" | "w" | "ne" | "nw" | "se" | "sw";

/** The part after a drag from one point to another, all in pixels of the picture; it stays within the picture. */
export function dragged(grip: Grip, start: Region, from: Point, to: Point, bounds: Size): Region {
  if (grip === "new") return between(inside(from, bounds), inside(to, bounds));
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (grip === "move") {
    return {
      ...start,
      left: clamp(start.left + dx, 0, bounds.width - start.width),
      top: clamp(start.top + dy, 0, bounds.height - start.height),
    };
  }
  const corner: Point = { x: start.left + start.width, y: start.top + start.height };
  const first = { x: start.left + (grip.includes("w") ? dx : 0), y: start.top + (grip.includes("n") ? dy : 0) };
  const second = { x: corner.x + (grip.includes("e") ? dx : 0), y: corner.y + (grip.includes("s") ? dy : 0) };
  return between(inside(first, bounds), inside(second, bounds));
}

/** Whole pixels within the picture; undefined for a part too small to mean anything. */
export function settled(region: Region, bounds: Size, least: number): Region | undefined {
  const left = Math.max(0, Math.round(region.left));
  const top = Math.max(0, Math.round(region.top));
  const width = Math.min(Math.round(region.width), bounds.width - left);
  const height = Math.min(Math.round(region.height), bounds.height - top);
  return width >= least && height >= least ? { left, top, width, height } : undefined;
}

function between(one: Point, other: Point): Region {
  return {
    left: Math.min(one.x, other.x),
    top: Math.min(one.y, other.y),
    width: Math.abs(one.x - other.x),
    height: Math.abs(one.y - other.y),
  };
}

function inside({ x, y }: Point, { width, height }: Size): Point {
  return { x: clamp(x, 0, width), y: clamp(y, 0, height) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
