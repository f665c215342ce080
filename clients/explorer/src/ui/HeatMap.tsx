import type { Map as HeatMapData } from "lookalike-client";
import { useLayoutEffect, useRef } from "preact/hooks";

import css from "./HeatMap.module.css";
import type { Rgb } from "./palette.ts";

const SIDE = 224;
const OUTSIDE = 0.28;

/** Perceptually uniform, from dark to light: matplotlib's inferno (Smith & van der Walt 2015), at nine places. */
const INFERNO: readonly Rgb[] = [
  [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50],
  [252, 255, 164],
];

/** The colour of a value between 0 and 1. */
export function heat(value: number): Rgb {
  const at = Math.min(Math.max(value, 0), 1) * (INFERNO.length - 1);
  const below = Math.min(Math.floor(at), INFERNO.length - 2);
  const [from, to] = [INFERNO[below]!, INFERNO[below + 1]!];
  const mix = (i: 0 | 1 | 2) => Math.round(from[i] + (to[i] - from[i]) * (at - below));
  return [mix(0), mix(1), mix(2)];
}

/**
 * What in a picture speaks for something, laid over the picture: give it the same `fit`, in a parent that is
 * positioned. What the encoder did not see is darkened.
 */
export function HeatMap({
  map,
  fit = "cover",
  opacity = 1,
  label,
}: {
  map: HeatMapData;
  fit?: "cover" | "contain";
  opacity?: number;
  /** Its name where it tells more than the picture below; else it is decoration. */
  label?: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => draw(canvas.current!, map), [map]);
  return (
    <canvas
      ref={canvas}
      class={`${css.map} ${css[fit]}`}
      style={{ opacity }}
      role={label ? "img" : "presentation"}
      aria-label={label}
    />
  );
}

function draw(canvas: HTMLCanvasElement, { grid, region, image_width: width, image_height: height }: HeatMapData): void {
  const scale = SIDE / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d")!;
  const [left, top] = [region.left * scale, region.top * scale];
  const [wide, high] = [region.width * scale, region.height * scale];
  context.fillStyle = `rgb(0 0 0 / ${OUTSIDE})`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.clearRect(left, top, wide, high);
  context.imageSmoothingQuality = "high";
  context.drawImage(coloured(grid), left, top, wide, high);
}

/** The grid as a picture of one pixel a cell; the hotter, the less can be seen through it. */
function coloured(grid: readonly (readonly number[])[]): OffscreenCanvas {
  const [rows, columns] = [grid.length, grid[0]?.length ?? 0];
  const small = new OffscreenCanvas(Math.max(1, columns), Math.max(1, rows));
  const context = small.getContext("2d")!;
  const pixels = context.createImageData(small.width, small.height);
  grid.flat().forEach((value, i) => pixels.data.set([...heat(value), Math.round(255 * (0.1 + 0.62 * value))], i * 4));
  context.putImageData(pixels, 0, 0);
  return small;
}
