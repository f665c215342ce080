import { beforeEach, expect, test } from "vitest";

import { decided, flip, type Group, keepAll, keepOnly, marked, takeUp, undo } from "../src/duplicates/decisions.ts";
import { compareFacts } from "../src/duplicates/words.ts";

const kept = new Map<string, string>();
globalThis.sessionStorage = {
  getItem: (name: string) => kept.get(name) ?? null,
  setItem: (name: string, text: string) => void kept.set(name, text),
} as Storage;

const group = { representative: "a", duplicates: [{ id: "b" }, { id: "c" }] } as Group;

beforeEach(() => {
  kept.clear();
  takeUp("other", "", "");
  takeUp("c", "duplicates", "today");
});

test("keeping one marks the others", () => {
  keepOnly(group, "b");
  expect(marked.value).toEqual(["a", "c"]);
});

test("keeping all is a decision too", () => {
  keepAll(group);
  expect(marked.value).toEqual([]);
  expect(decided.value.has("a")).toBe(true);
});

test("the last image that is kept cannot be marked", () => {
  for (const id of ["a", "b", "c"]) flip(group, id);
  expect(marked.value).toEqual(["a", "b"]);
});

test("decisions are undone one by one", () => {
  keepOnly(group, "a");
  flip(group, "b");
  undo();
  expect(marked.value).toEqual(["b", "c"]);
  undo();
  expect(decided.value.size).toBe(0);
});

test("decisions are taken up again for the same search, and not for another", () => {
  keepOnly(group, "a");
  takeUp("c", "duplicates", "tomorrow");
  expect(decided.value.size).toBe(0);
  takeUp("c", "duplicates", "today");
  expect(marked.value).toEqual(["b", "c"]);
});

test("what differs is told, and which is the larger", () => {
  const [first, second] = compareFacts([
    { width: 20, height: 10, format: "png", source: "x", metadata: { split: "train", by: "me" } },
    { width: 10, height: 10, format: "png", source: "x", metadata: { by: "me" } },
  ]);
  expect(first!.find(({ name }) => name === "Pixels")).toMatchObject({ differs: true, best: true });
  expect(second!.find(({ name }) => name === "Pixels")).toMatchObject({ differs: true, best: false });
  expect(second!.find(({ name }) => name === "split")).toMatchObject({ text: "–", differs: true });
  expect(second!.find(({ name }) => name === "by")).toMatchObject({ differs: false });
});
