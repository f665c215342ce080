// The search that is on, its hits, and why they are hits.

import { computed, signal } from "@preact/signals";
import type { Hit, HitExplanation } from "lookalike-client";

import { client, collection, described } from "../state/service.ts";
import { route } from "../state/route.ts";
import { parse, type Query } from "./query.ts";
import { explain, type Place } from "./run.ts";

/** The search of the address; undefined for none, and in other rooms. */
export const query = computed<Query | undefined>(() =>
  route.value.room === "search" ? parse(route.value.params) : undefined,
);

/** Where it is carried out; undefined until the collection is known. */
export const place = computed<Place | undefined>(() => {
  const [handle, known] = [collection.value, described.value];
  return handle && known && { client: client.value, collection: handle, model: known.model };
});

/** The hits that are shown, by id. */
export const hits = signal<ReadonlyMap<string, Hit>>(new Map());

/** Whether the collection's scores have a meaning, as the last search said. */
export const calibrated = signal(false);

/** The hit that the pointer or the focus is on, with its maps. */
export const pointed = signal<{ id: string; why: HitExplanation } | undefined>(undefined);

const LONGEST = 300;
const known = new Map<string, Promise<HitExplanation | undefined>>();

/** Why a hit is one: asked for once. */
export function why(id: string, judged = false): Promise<HitExplanation | undefined> {
  const [now, where] = [query.peek(), place.peek()];
  if (!now || !where) return Promise.resolve(undefined);
  const { source, region, like, unlike } = now;
  const name = JSON.stringify([where.collection.name, where.model, source, region, like, unlike, id, judged]);
  const begun = known.get(name) ?? explain(where, now, id, judged, new AbortController().signal);
  known.set(name, begun);
  begun.catch(() => known.delete(name));
  if (known.size > LONGEST) known.delete(known.keys().next().value!);
  return begun;
}
