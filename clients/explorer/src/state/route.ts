// Where one is: everything that can be linked to is in the page's query string.

import { signal } from "@preact/signals";

export const ROOMS = ["search", "map", "clusters", "compare", "duplicates", "index"] as const;
export type RoomId = (typeof ROOMS)[number];

/** The query string, taken apart: `c` is the collection, `room` the room, the rest are parameters. */
export interface Route {
  room: RoomId;
  collection: string | undefined;
  params: Readonly<Record<string, string>>;
}

/** Parameters to set; undefined takes one away. */
export type Changes = Record<string, string | undefined>;

/** These hold in all rooms: the filter, the image in the detail panel, and the selection while it is small. */
const SHARED = ["filter", "image", "sel"];

export const route = signal<Route>(parse(globalThis.location?.search ?? ""));

/** The last own parameters of each room of this collection, so that coming back finds it as it was. */
let left: Partial<Record<RoomId, Changes>> = { [route.peek().room]: own(route.peek()) };

/** A route from a query string. */
export function parse(search: string): Route {
  const { c, room, ...params } = Object.fromEntries(new URLSearchParams(search));
  const known = ROOMS.find((name) => name === room);
  return { room: known ?? "search", collection: c || undefined, params };
}

/** The query string of a route, with `?`; collections and rooms come first. */
export function format({ room, collection, params }: Route): string {
  const query = new URLSearchParams();
  if (collection !== undefined) query.set("c", collection);
  query.set("room", room);
  for (const [name, value] of Object.entries(params)) query.set(name, value);
  return `?${query}`;
}

/** Change parameters of where one is. `replace`: without a step to go back to, as while a slider moves. */
export function go(changes: Changes, { replace = false } = {}): void {
  visit({ ...route.peek(), params: merged(route.peek().params, changes) }, replace);
}

/** Enter a room: with these parameters, or without any as it was left. */
export function enter(room: RoomId, params?: Changes): void {
  visit(inRoom(room, params), false);
}

/** The address of a room, for a link that `enter` follows. */
export function roomAddress(room: RoomId, params?: Changes): string {
  return format(inRoom(room, params));
}

/** Open a collection, in the same room unless another is named. */
export function openCollection(collection: string | undefined, room: RoomId = route.peek().room): void {
  left = {};
  visit({ room, collection, params: {} }, false);
}

/** Parameters after changes. */
export function merged(params: Readonly<Record<string, string>>, changes: Changes): Record<string, string> {
  const all: Changes = { ...params, ...changes };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function inRoom(room: RoomId, params?: Changes): Route {
  const here = route.peek();
  const shared = Object.fromEntries(Object.entries(here.params).filter(([name]) => SHARED.includes(name)));
  if (room === here.room && params === undefined) return here;
  return { ...here, room, params: merged(shared, params ?? left[room] ?? {}) };
}

function visit(next: Route, replace: boolean): void {
  const address = format(next);
  if (address === format(route.peek()) && location.search !== "") return;
  if (replace) history.replaceState(history.state, "", address);
  else history.pushState(null, "", address);
  settle(next);
}

function own({ params }: Route): Changes {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !SHARED.includes(name)));
}

function settle(next: Route): void {
  left = { ...left, [next.room]: own(next) };
  route.value = next;
}

globalThis.addEventListener?.("popstate", () => settle(parse(location.search)));
