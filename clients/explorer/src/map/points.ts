// The images on a map, read from the service's Arrow stream.

import { type Column, tableFromIPC } from "@uwdata/flechette";

import type { Box } from "./camera.ts";

/** Which two coordinates of a map in three dimensions are shown. */
export const AXES = ["xy", "xz", "yz"] as const;
export type Axes = (typeof AXES)[number];

/** The images on a map, by row. */
export class Points {
  readonly count: number;
  readonly dimensions: number;
  /** The share of neighbours that are not near on the map, 0 to 1; NaN where not known. */
  readonly distortion: Float32Array;
  /** 1 for images that were placed after the map was made. */
  readonly later: Uint8Array;
  readonly #columns: ReadonlyMap<string, Column<unknown>>;
  readonly #rows = new Map<string, number>();
  #unread: Iterator<unknown> | undefined;

  constructor(stream: Uint8Array) {
    const table = tableFromIPC(stream, { useBigInt: false });
    this.count = table.numRows;
    this.#columns = new Map(table.names.map((name, i) => [String(name), table.getChildAt(i) as Column<unknown>]));
    this.dimensions = this.#columns.has("z") ? 3 : 2;
    this.distortion = floats(this.#column("distortion"));
    this.later = new Uint8Array(this.count);
    let row = 0;
    for (const later of this.#column("later")) this.later[row++] = later ? 1 : 0;
  }

  /** The id of the image in a row. */
  id(row: number): string {
    return this.#column("id").at(row) as string;
  }

  /** The row of an image; undefined for one that is not on the map. */
  row(id: string): number | undefined {
    if (!this.#rows.has(id)) this.learn(Infinity);
    return this.#rows.get(id);
  }

  /** Get to know the rows of some more ids, so that `row` need not read a million at once. True if all are known. */
  learn(some: number): boolean {
    this.#unread ??= this.#column("id")[Symbol.iterator]();
    for (const end = this.#rows.size + some; this.#rows.size < Math.min(end, this.count); ) {
      this.#rows.set(this.#unread.next().value as string, this.#rows.size);
    }
    return this.#rows.size === this.count;
  }

  /** The values of a field that was asked for with the points; undefined where it was not. */
  values(field: string): Iterable<unknown> | undefined {
    return this.#columns.get(field);
  }

  /** The value of such a field in one row. */
  value(field: string, row: number): unknown {
    return this.#columns.get(field)?.at(row);
  }

  /** Where they lie, x and y in turn, moved and scaled so that the longer side goes from -1 to 1. */
  places(axes: Axes): Float32Array {
    const x = floats(this.#column(axes[0]!));
    const y = floats(this.#column(axes[1]!));
    const places = new Float32Array(2 * this.count);
    for (let row = 0; row < this.count; row++) {
      places[2 * row] = x[row]!;
      places[2 * row + 1] = y[row]!;
    }
    const { minX, minY, maxX, maxY } = bounds(places);
    const half = Math.max(maxX - minX, maxY - minY, 1e-12) / 2;
    for (let row = 0; row < this.count; row++) {
      places[2 * row] = (places[2 * row]! - (minX + maxX) / 2) / half;
      places[2 * row + 1] = (places[2 * row + 1]! - (minY + maxY) / 2) / half;
    }
    return places;
  }

  /** Which row of other points holds the same image, for each row; -1 where none does. */
  rowsIn(other: Points): Int32Array {
    if (this.#sameIds(other)) return Int32Array.from({ length: this.count }, (_, row) => row);
    const rows = new Int32Array(this.count);
    let row = 0;
    for (const id of this.#column("id")) rows[row++] = other.row(id as string) ?? -1;
    return rows;
  }

  /** Whether the same images are in the same rows, by the bytes of their ids: quick for a million. */
  #sameIds(other: Points): boolean {
    const mine = this.#column("id").data;
    const theirs = other.#column("id").data;
    if (this.count !== other.count || mine.length !== theirs.length) return false;
    return mine.every((batch, i) => {
      const its = theirs[i]!;
      return batch.offsets !== undefined && equal(batch.offsets, its.offsets) && equal(batch.values, its.values);
    });
  }

  #column(name: string): Column<unknown> {
    const column = this.#columns.get(name);
    if (!column) throw new Error(`The map that the service sent has no column ${name}.`);
    return column;
  }
}

/** The smallest box around places. */
export function bounds(places: Float32Array): Box {
  const box = { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
  for (let i = 0; i < places.length; i += 2) {
    const x = places[i]!;
    const y = places[i + 1]!;
    if (x < box.minX) box.minX = x;
    if (x > box.maxX) box.maxX = x;
    if (y < box.minY) box.minY = y;
    if (y > box.maxY) box.maxY = y;
  }
  return places.length === 0 ? { minX: -1, minY: -1, maxX: 1, maxY: 1 } : box;
}

function floats(column: Column<unknown>): Float32Array {
  const values = column.toArray() as Float32Array | (number | null)[];
  return values instanceof Float32Array ? values : Float32Array.from(values, (value) => value ?? NaN);
}

type Bytes = ArrayLike<number | bigint> | undefined;

function equal(one: Bytes, other: Bytes): boolean {
  if (one === undefined || other === undefined || one.length !== other.length) return one === other;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
