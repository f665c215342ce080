// What is to become of the images of each group: decided with the keyboard, kept until the tab is closed.

import { computed, signal } from "@preact/signals";
import type { DuplicateGroups } from "lookalike-client";

export type Group = DuplicateGroups["groups"][number];

/** Ids that are to go, by the representative of their group; a group that was decided to stay whole has none. */
type Decisions = ReadonlyMap<string, ReadonlySet<string>>;

interface Kept {
  place: string;
  now: Decisions;
  before: readonly Decisions[];
}

const UNDO_STEPS = 200;
const state = signal<Kept>({ place: "", now: new Map(), before: [] });

export const decided = computed(() => state.value.now);
export const canUndo = computed(() => state.value.before.length > 0);
/** All that are to go. */
export const marked = computed(() => [...new Set([...state.value.now.values()].flatMap((ids) => [...ids]))]);

/** Take up the decisions on a search's groups where they were left in this tab. */
export function takeUp(collection: string, name: string, made: string): void {
  const place = `lookalike.duplicates ${JSON.stringify([collection, name, made])}`;
  if (state.peek().place !== place) state.value = { place, now: recalled(place), before: [] };
}

function recalled(place: string): Decisions {
  try {
    const rows: unknown = JSON.parse(sessionStorage.getItem(place) ?? "[]");
    return new Map((rows as [string, string[]][]).map(([group, ids]) => [group, new Set(ids)]));
  } catch {
    return new Map(); // written by another version of the page
  }
}

function set(now: Decisions, before: readonly Decisions[]): void {
  const { place } = state.peek();
  state.value = { place, now, before: before.slice(-UNDO_STEPS) };
  sessionStorage.setItem(place, JSON.stringify([...now].map(([group, ids]) => [group, [...ids]])));
}

function decide(group: Group, ids: Iterable<string>): void {
  const { now, before } = state.peek();
  set(new Map(now).set(group.representative, new Set(ids)), [...before, now]);
}

/** The images of a group, the one that is proposed to be kept first. */
export function members(group: Group): string[] {
  return [group.representative, ...group.duplicates.map(({ id }) => id)];
}

/** Keep one image of a group, and none of the others. */
export function keepOnly(group: Group, id: string): void {
  decide(group, members(group).filter((one) => one !== id));
}

export function keepAll(group: Group): void {
  decide(group, []);
}

/** Keep an image, or let it go; the last one that is kept stays. */
export function flip(group: Group, id: string): void {
  const gone = new Set(decided.peek().get(group.representative));
  if (!gone.delete(id)) gone.add(id);
  if (gone.size < members(group).length) decide(group, gone);
}

/** Take the last decision back. */
export function undo(): void {
  const { before } = state.peek();
  const last = before.at(-1);
  if (last) set(last, before.slice(0, -1));
}

/** What was decided has been done. */
export function forget(): void {
  set(new Map(), []);
}
