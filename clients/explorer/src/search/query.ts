// What is searched for, to and from the parameters of the address.

import type { Filter, Region, SearchRequest } from "lookalike-client";

import type { Changes } from "../state/route.ts";

/** What hits are to be like; `upload` is the token of a picture that was dropped here. */
export type Source =
  | { kind: "image"; id: string }
  | { kind: "upload"; token: string }
  | { kind: "text"; text: string }
  | { kind: "examples" };

/** A search. */
export interface Query {
  source: Source;
  region: Region | undefined;
  /** Ids of images that hits are to be like too, and of those that they are not to be like. */
  like: readonly string[];
  unlike: readonly string[];
  limit: number;
  groupBy: string | undefined;
  /** 0 to 1. */
  diversity: number;
  threshold: number | undefined;
}

export const PAGE = 48;
const MOST = 1000;
const EXAMPLES = 32;

/** The search that an address asks for; undefined for none. */
export function parse(params: Readonly<Record<string, string>>): Query | undefined {
  const like = ids(params["like"]);
  const source = sourceOf(params, like);
  if (source === undefined) return undefined;
  return {
    source,
    region: source.kind === "text" || source.kind === "examples" ? undefined : regionOf(params["region"]),
    like,
    unlike: ids(params["unlike"]),
    limit: Math.min(Math.max(PAGE, Math.floor(finite(params["n"]) ?? PAGE)), MOST),
    groupBy: params["group"] || undefined,
    diversity: Math.min(Math.max(finite(params["diversity"]) ?? 0, 0), 1),
    threshold: finite(params["min"]),
  };
}

function sourceOf(params: Readonly<Record<string, string>>, like: readonly string[]): Source | undefined {
  if (params["id"]) return { kind: "image", id: params["id"] };
  if (params["upload"]) return { kind: "upload", token: params["upload"] };
  if (params["text"]) return { kind: "text", text: params["text"] };
  return like.length > 0 ? { kind: "examples" } : undefined;
}

/** Parameters of a new search: its source is set, all that belonged to another one goes, options stay. */
export function newSearch(source: Source): Changes {
  return {
    id: source.kind === "image" ? source.id : undefined,
    upload: source.kind === "upload" ? source.token : undefined,
    text: source.kind === "text" ? source.text : undefined,
    region: undefined,
    like: undefined,
    unlike: undefined,
    n: undefined,
  };
}

/** Parameters after an image was marked; marking it the same again takes the mark away. */
export function marked(query: Query, id: string, as: "like" | "unlike"): Changes {
  const other = as === "like" ? "unlike" : "like";
  const without = (list: readonly string[]) => list.filter((one) => one !== id);
  const next = query[as].includes(id) ? without(query[as]) : [...query[as], id].slice(-EXAMPLES);
  return { [as]: list(next), [other]: list(without(query[other])), n: undefined };
}

function list(ids: readonly string[]): string | undefined {
  return ids.length === 0 ? undefined : JSON.stringify(ids);
}

function ids(text: string | undefined): string[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter((id) => typeof id === "string").slice(0, EXAMPLES) : [];
  } catch {
    return []; // someone edited the address
  }
}

/** LEFT,TOP,WIDTH,HEIGHT of a region, whole pixels. */
export function regionText({ left, top, width, height }: Region): string {
  return [left, top, width, height].map(Math.round).join(",");
}

function regionOf(text: string | undefined): Region | undefined {
  const [left, top, width, height, ...more] = (text ?? "").split(",").map((part) => finite(part));
  if (left === undefined || top === undefined || width === undefined || height === undefined) return undefined;
  return more.length === 0 && width > 0 && height > 0 ? { left, top, width, height } : undefined;
}

function finite(text: string | undefined): number | undefined {
  return text !== undefined && text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

/** Whether marks make it a search by examples. */
export function hasMarks({ like, unlike, source }: Query): boolean {
  return source.kind === "examples" || like.length + unlike.length > 0;
}

/** What every search says beside its query. */
export function options(query: Query, filter: Filter | undefined): Partial<SearchRequest> {
  return {
    limit: query.limit,
    ...(filter ? { filter } : {}),
    ...(query.groupBy ? { group_by: query.groupBy } : {}),
    ...(query.diversity > 0 && !query.groupBy ? { diversity: query.diversity } : {}),
    ...(query.threshold === undefined ? {} : { score_threshold: query.threshold }),
  };
}

/** A query in JSON; `own` is the embedding of what is no indexed image, for a search by examples. */
export function asked(query: Query, own: number[] | undefined): Partial<SearchRequest> {
  const { source, region, like, unlike } = query;
  if (hasMarks(query)) {
    const first = own ?? (source.kind === "image" ? source.id : undefined);
    const positive = (first === undefined ? [...like] : [first, ...like]).slice(0, EXAMPLES);
    return { positive, ...(unlike.length ? { negative: [...unlike] } : {}) };
  }
  if (source.kind === "text") return { text: source.text };
  if (source.kind === "image") return { id: source.id, ...(region ? { region } : {}) };
  throw new TypeError("A picture that is sent is no JSON.");
}
