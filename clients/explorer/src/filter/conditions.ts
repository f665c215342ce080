// A filter as a list of conditions that can be shown and edited, to and from Qdrant's JSON.

import type { Filter } from "lookalike-client";

export type Value = string | number | boolean;

/** Conditions on one field, all of which must hold; `not` turns one round. */
export type Condition =
  | { kind: "any"; field: string; values: readonly Value[]; not: boolean }
  | { kind: "range"; field: string; gte?: number | undefined; lte?: number | undefined; not: boolean }
  | { kind: "empty"; field: string; not: boolean }
  | { kind: "ids"; ids: readonly string[]; not: boolean };

type Json = Record<string, unknown>;

/** The filter of these conditions; undefined for none. */
export function write(conditions: readonly Condition[]): Filter | undefined {
  const must = conditions.filter((one) => !one.not).map(writeOne);
  const mustNot = conditions.filter((one) => one.not).map(writeOne);
  if (must.length + mustNot.length === 0) return undefined;
  return { ...(must.length ? { must } : {}), ...(mustNot.length ? { must_not: mustNot } : {}) };
}

function writeOne(one: Condition): Json {
  switch (one.kind) {
    case "ids":
      return { has_id: one.ids };
    case "empty":
      return { is_empty: { key: one.field } };
    case "range": {
      const { gte, lte } = one;
      return { key: one.field, range: { ...(gte === undefined ? {} : { gte }), ...(lte === undefined ? {} : { lte }) } };
    }
    case "any": {
      const [first] = one.values;
      const match = one.values.length === 1 || typeof first === "boolean" ? { value: first } : { any: one.values };
      return { key: one.field, match };
    }
  }
}

/** The conditions of a filter; undefined where it says more than conditions can. */
export function read(filter: Filter | undefined): Condition[] | undefined {
  if (filter === undefined) return [];
  if (Object.keys(filter).some((name) => name !== "must" && name !== "must_not")) return undefined;
  const all = [...listed(filter["must"], false), ...listed(filter["must_not"], true)];
  return all.every((one) => one !== undefined) ? (all as Condition[]) : undefined;
}

function listed(clause: unknown, not: boolean): (Condition | undefined)[] {
  if (clause === undefined) return [];
  const items = Array.isArray(clause) ? clause : [clause];
  return items.map((item) => (isObject(item) ? readOne(item, not) : undefined));
}

function readOne(item: Json, not: boolean): Condition | undefined {
  const { key: field, match, range, has_id: ids, is_empty: empty, ...rest } = item;
  if (Object.keys(rest).length > 0) return undefined;
  if (Array.isArray(ids)) return { kind: "ids", ids: ids.map(String), not };
  if (isObject(empty) && typeof empty["key"] === "string") return { kind: "empty", field: empty["key"], not };
  if (typeof field !== "string") return undefined;
  if (isObject(match)) {
    const { value, any, ...others } = match;
    if (Object.keys(others).length > 0) return undefined;
    return { kind: "any", field, values: Array.isArray(any) ? any : [value as Value], not };
  }
  if (!isObject(range) || Object.keys(range).some((bound) => bound !== "gte" && bound !== "lte")) return undefined;
  return { kind: "range", field, gte: range["gte"] as number, lte: range["lte"] as number, not };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The images that match both. */
export function both(one: Filter | undefined, other: Filter | undefined): Filter | undefined {
  return one && other ? { must: [one, other] } : (one ?? other);
}

/** A field without its prefix. */
export function fieldName(field: string): string {
  return field.replace(/^(metadata|clusters)\./, "");
}

/** A condition in words; `valueName` names cluster labels. */
export function describe(one: Condition, valueName: (field: string, value: Value) => string): string {
  if (one.kind === "ids") return `${one.not ? "not " : ""}${one.ids.length} chosen`;
  const name = fieldName(one.field);
  if (one.kind === "empty") return one.not ? `has ${name}` : `no ${name}`;
  if (one.kind === "range") {
    const { gte, lte } = one;
    const range = gte === undefined ? `≤ ${lte}` : lte === undefined ? `≥ ${gte}` : `${gte} – ${lte}`;
    return `${name}${one.not ? " not" : ""} ${range}`;
  }
  const shown = one.values.slice(0, 2).map((value) => valueName(one.field, value));
  const rest = one.values.length - shown.length;
  return `${name} ${one.not ? "is not" : "is"} ${shown.join(" or ")}${rest > 0 ? ` or ${rest} more` : ""}`;
}
