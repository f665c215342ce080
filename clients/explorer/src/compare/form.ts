// Two sets to be compared, as they are being put together, and the request they make.

import type { ComparisonRequest, Filter } from "lookalike-client";

import { type Value, write } from "../filter/conditions.ts";
import { nameFor } from "../indexing/picked.ts";

export interface Side {
  title: string;
  filter: Filter | undefined;
}

export interface Form {
  first: Side;
  second: Side;
  /** Another collection that the second set is of; empty for this one. */
  elsewhere: string;
  /** The clustering to look for the difference in; empty to find clusters in both sets together. */
  clustering: string;
}

export const BLANK: Form = {
  first: { title: "", filter: undefined },
  second: { title: "", filter: undefined },
  elsewhere: "",
  clustering: "",
};

/** The set of the images that have this value of a field. */
export function having(field: string, value: Value, title: string): Side {
  return { title, filter: write([{ kind: "any", field, values: [value], not: false }]) };
}

/** What the first set leaves. */
export const REST: Side = { title: "the rest", filter: undefined };

/** What keeps it from being started; undefined if nothing does. */
export function fault({ first, second, elsewhere }: Form): string | undefined {
  if (elsewhere !== "") return undefined;
  if (!first.filter) return "Say which images the first set is of.";
  if (second.filter && JSON.stringify(first.filter) === JSON.stringify(second.filter)) return "Both sets are the same.";
  return undefined;
}

export function request({ first, second, elsewhere, clustering }: Form): ComparisonRequest & { name: string } {
  const side = ({ title, filter }: Side, fallback: string) => ({ title: title || fallback, ...(filter ? { filter } : {}) });
  const [a, b] = [side(first, "first"), side(second, elsewhere || "the rest")];
  return {
    name: nameFor(`${a.title}-${b.title}`),
    first: a,
    second: elsewhere ? { title: b.title, collection: elsewhere } : b,
    ...(clustering ? { clustering } : {}),
  } as ComparisonRequest & { name: string };
}
