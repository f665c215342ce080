// Which images show their thumbnail: one of each cell of a grid that lies on the map, so that panning changes
// nothing, and zooming in keeps those that are shown and adds others.

import type KDBush from "kdbush";

import { inSight, type Size, scale, toScreen, type View } from "./camera.ts";

export const THUMB = 56; // CSS pixels
const CELL = 76; // the least width of a cell
const CROWD = 4_000; // with more images in sight than this there is only colour
const MOST = 150;
const GRID = 64;

/** How many images lie in each part of the map, to know without looking at all whether it is worth looking. */
export class Crowd {
  readonly #counts = new Uint32Array(GRID * GRID);

  constructor(places: Float32Array) {
    for (let i = 0; i < places.length; i += 2) {
      this.#counts[cell(places[i + 1]!) * GRID + cell(places[i]!)]!++;
    }
  }

  /** No fewer than lie in a box. */
  atMost(minX: number, minY: number, maxX: number, maxY: number): number {
    let sum = 0;
    for (let row = cell(minY); row <= cell(maxY); row++) {
      for (let column = cell(minX); column <= cell(maxX); column++) sum += this.#counts[row * GRID + column]!;
    }
    return sum;
  }
}

function cell(coordinate: number): number {
  return Math.min(GRID - 1, Math.max(0, Math.floor(((coordinate + 1) / 2) * GRID)));
}

/** The rows whose thumbnails are shown; `allowed` leaves out those that are hidden. */
export function declutter(
  view: View,
  size: Size,
  places: Float32Array,
  nearby: KDBush,
  crowd: Crowd,
  allowed: (row: number) => boolean,
): number[] {
  const { minX, minY, maxX, maxY } = inSight(view, size, THUMB / 2);
  // Zoomed in further than the crowd's grid is fine, the box itself is asked.
  const few = crowd.atMost(minX, minY, maxX, maxY) <= CROWD || maxX - minX < 4 / GRID;
  if (!few) return [];
  const rows = nearby.range(minX, minY, maxX, maxY);
  if (rows.length > CROWD) return [];
  const width = 2 ** Math.ceil(Math.log2(CELL / scale(view, size)));
  const chosen = new Map<string, number>();
  for (const row of rows) {
    if (!allowed(row)) continue;
    const key = `${Math.floor(places[2 * row]! / width)},${Math.floor(places[2 * row + 1]! / width)}`;
    const rival = chosen.get(key);
    if (rival === undefined || rank(row) < rank(rival)) chosen.set(key, row);
  }
  return apart([...chosen.values()].sort((a, b) => rank(a) - rank(b)), view, size, places).slice(0, MOST);
}

/** Without those that would lie on one before them. */
function apart(rows: readonly number[], view: View, size: Size, places: Float32Array): number[] {
  const kept: [number, number, number][] = [];
  for (const row of rows) {
    const [x, y] = toScreen(view, size, places[2 * row]!, places[2 * row + 1]!);
    if (kept.every(([, kx, ky]) => Math.abs(kx - x) > THUMB || Math.abs(ky - y) > THUMB)) kept.push([row, x, y]);
  }
  return kept.map(([row]) => row);
}

/** An order of rows that has nothing to do with where they lie (Knuth's multiplicative hash). */
function rank(row: number): number {
  return Math.imul(row + 1, 2654435761) >>> 0;
}
