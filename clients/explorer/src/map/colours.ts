// What the colours of a map mean. Each image has the number of a colour (a code), so that to light up a group only
// the table of colours changes, whatever the number of images.

import { categorical, NOBODY, oklch, type Rgb } from "../ui/palette.ts";
import type { Value } from "../filter/conditions.ts";

/** A row of the legend. */
export interface Entry {
  code: number;
  label: string;
  images: number;
  /** What to filter by to have only these; undefined where that cannot be said. */
  value?: Value | undefined;
}

/** The numbers that the first and the last colour stand for. */
export interface Scale {
  least: number;
  most: number;
  /** What the number is, for the legend. */
  says: string;
}

/** The colours of all images. */
export interface Colouring {
  /** Of each image, the row of `colours`. */
  codes: Uint16Array;
  colours: readonly Rgb[];
  /** Of categories, the largest first, and those that have none last. */
  entries: readonly Entry[];
  /** Of numbers. */
  scale?: Scale;
}

const STEPS = 64; // colours of a scale
const SHOWN = 40; // categories with a colour of their own
/** Numbers of no more values than this are categories, as on the service's own plots. */
const FEW = 20;

/** The colour of a number, from 0 to 1. */
export function onScale(part: number): Rgb {
  return oklch(0.5 + 0.36 * part, 0.14, 285 - 195 * part);
}

/** All alike. */
export function plain(count: number): Colouring {
  return { codes: new Uint16Array(count), colours: [[74, 144, 164]], entries: [] };
}

/** By a number, NaN where an image has none. */
export function byNumber(values: Float32Array | Float64Array, scale: Scale): Colouring {
  const codes = new Uint16Array(values.length);
  const width = scale.most - scale.least || 1;
  let without = 0;
  for (let row = 0; row < values.length; row++) {
    const part = (values[row]! - scale.least) / width;
    if (Number.isNaN(part)) without++;
    codes[row] = Number.isNaN(part) ? STEPS : Math.round(Math.min(1, Math.max(0, part)) * (STEPS - 1));
  }
  const colours = [...Array.from({ length: STEPS }, (_, i) => onScale(i / (STEPS - 1))), NOBODY];
  return { codes, colours, entries: without ? [{ code: STEPS, label: "not known", images: without }] : [], scale };
}

/** By the clusters of a clustering; -1 is noise, and null an image that it has not labelled. */
export function byCluster(values: Iterable<unknown>, count: number, nameOf: (label: number) => string): Colouring {
  return categories(values, count, {
    label: (value) => nameOf(value as number),
    colour: (value) => categorical(value as number),
    isNobody: (value) => value === -1,
    without: "not in this clustering",
  });
}

/** By a field of the metadata: its values have colours, or lie on a scale where they are many numbers. */
export function byField(values: Iterable<unknown>, count: number, name: string): Colouring {
  const all = [...values];
  const known = all.filter((value) => value !== null);
  if (known.every((value) => typeof value === "number") && new Set(known).size > FEW) {
    const numbers = Float64Array.from(all, (value) => (value as number | null) ?? NaN);
    const [least, most] = extremes(known as number[]);
    return byNumber(numbers, { least, most, says: name });
  }
  return categories(all, count, { label: String, without: `no ${name}` });
}

interface Kinds {
  label: (value: unknown) => string;
  /** Undefined: by its place in the legend. */
  colour?: (value: unknown) => Rgb;
  isNobody?: (value: unknown) => boolean;
  /** What images without a value are called. */
  without: string;
}

/** By values that are equal or not. */
export function categories(values: Iterable<unknown>, count: number, kinds: Kinds): Colouring {
  const numbers = new Uint32Array(count); // of each image's value, in the order in which values are met
  const seen = new Map<unknown, number>();
  const sizes: number[] = [];
  let row = 0;
  for (const value of values) {
    const known = seen.get(value);
    const number = known ?? seen.size;
    if (known === undefined) {
      seen.set(value, number);
      sizes.push(0);
    }
    sizes[number]!++;
    numbers[row++] = number;
  }
  const order = [...seen.keys()].sort((a, b) => last(a, kinds) - last(b, kinds) || sizes[seen.get(b)!]! - sizes[seen.get(a)!]!);
  const named = order.filter((value) => !last(value, kinds));
  const own = new Set(named.length > SHOWN ? named.slice(0, SHOWN - 1) : named);
  const entries: Entry[] = [];
  const colours: Rgb[] = [];
  const codeOf = new Uint16Array(seen.size);
  let other: Entry | undefined;
  for (const value of order) {
    const images = sizes[seen.get(value)!]!;
    const alone = own.has(value) || last(value, kinds) > 0;
    let entry = alone ? undefined : other;
    if (entry) entry.images += images;
    else {
      entry = { code: colours.length, images, label: alone ? nameOf(value, kinds) : "other", value: alone ? filterable(value) : undefined };
      entries.push(entry);
      const colour = kinds.colour ?? (() => categorical(entry!.code));
      colours.push(!alone || last(value, kinds) ? NOBODY : colour(value));
      if (!alone) other = entry;
    }
    codeOf[seen.get(value)!] = entry.code;
  }
  return { codes: Uint16Array.from(numbers, (number) => codeOf[number]!), colours, entries };
}

/** Noise comes after all groups, and images without a value last. */
function last(value: unknown, { isNobody }: Kinds): number {
  return value === null ? 2 : isNobody?.(value) ? 1 : 0;
}

function nameOf(value: unknown, { label, without }: Kinds): string {
  return value === null ? without : label(value);
}

function filterable(value: unknown): Value | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

function extremes(numbers: readonly number[]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const number of numbers) {
    if (number < least) least = number;
    if (number > most) most = number;
  }
  return [least, most];
}
