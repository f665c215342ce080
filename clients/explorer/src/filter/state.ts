// The filter that all rooms share; it is part of the address.

import { computed } from "@preact/signals";
import type { Filter } from "lookalike-client";

import { clusterName } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { fieldName, type Value } from "./conditions.ts";

/** The shared filter; undefined where there is none. */
export const filter = computed<Filter | undefined>(() => {
  const text = route.value.params["filter"];
  if (text === undefined) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Filter) : undefined;
  } catch {
    return undefined; // someone edited the address
  }
});

export function setFilter(next: Filter | undefined): void {
  go({ filter: next && JSON.stringify(next) });
}

/** A value as people read it. */
export function valueName(field: string, value: Value): string {
  return field.startsWith("clusters.") && typeof value === "number" ? clusterName(fieldName(field), value) : String(value);
}
