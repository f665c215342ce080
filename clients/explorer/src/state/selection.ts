// The images that are selected, in all rooms alike.

import { computed, effect, signal } from "@preact/signals";
import type { Filter } from "lookalike-client";

import { go, route } from "./route.ts";

/** A larger selection is kept in the page only: addresses have a length. */
const IN_ADDRESS = 60;

export const selection = signal<ReadonlySet<string>>(fromAddress());
export const selected = computed(() => selection.value.size);

/** Select these and nothing else. */
export function select(ids: Iterable<string>): void {
  selection.value = new Set(ids);
  const text = format(selection.value);
  if (text !== route.peek().params["sel"]) go({ sel: text }, { replace: true });
}

/** Select an image, or no longer. */
export function toggle(id: string): void {
  const next = new Set(selection.peek());
  if (!next.delete(id)) next.add(id);
  select(next);
}

export function clearSelection(): void {
  select([]);
}

/** The filter of the selected images. */
export function selectionFilter(): Filter {
  return { must: [{ has_id: [...selection.value] }] };
}

function format(ids: ReadonlySet<string>): string | undefined {
  return ids.size === 0 || ids.size > IN_ADDRESS ? undefined : JSON.stringify([...ids]);
}

function fromAddress(): ReadonlySet<string> {
  try {
    const ids: unknown = JSON.parse(route.peek().params["sel"] ?? "[]");
    return new Set(Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : []);
  } catch {
    return new Set(); // someone edited the address
  }
}

let seen = { collection: route.peek().collection, sel: route.peek().params["sel"] };
effect(() => {
  const now = { collection: route.value.collection, sel: route.value.params["sel"] };
  const elsewhere = now.collection !== seen.collection;
  // Going back changes the address alone; a selection too large for one stays until it is cleared.
  if (elsewhere) selection.value = fromAddress();
  else if (now.sel !== seen.sel && now.sel !== format(selection.peek())) selection.value = fromAddress();
  seen = now;
});
