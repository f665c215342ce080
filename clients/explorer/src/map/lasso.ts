// Which images lie inside what was drawn around them.

import type KDBush from "kdbush";

/** A polygon in map coordinates, x and y in turn. */
export type Path = readonly (readonly [x: number, y: number])[];

/** The rows of the places inside a closed path, by the even-odd rule. */
export function inside(path: Path, places: Float32Array, nearby: KDBush): number[] {
  if (path.length < 3) return [];
  const xs = path.map(([x]) => x);
  const ys = path.map(([, y]) => y);
  const near = nearby.range(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  return near.filter((row) => contains(path, places[2 * row]!, places[2 * row + 1]!));
}

/** A rectangle between two corners. */
export function rectangle([ax, ay]: Path[number], [bx, by]: Path[number]): Path {
  return [[ax, ay], [bx, ay], [bx, by], [ax, by]];
}

function contains(path: Path, x: number, y: number): boolean {
  let within = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [ax, ay] = path[i]!;
    const [bx, by] = path[j]!;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}
