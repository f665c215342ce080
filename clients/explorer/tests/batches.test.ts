import { expect, test } from "vitest";

import { batches, placeMetadata } from "../src/indexing/batches.ts";
import { csv } from "../src/indexing/csv.ts";
import { nameFor, type Picked } from "../src/indexing/picked.ts";
import { timeLeft } from "../src/indexing/words.ts";

const MB = 2 ** 20;
const picture = (id: number, size: number): Picked => ({
  id: String(id), source: "", folder: "", size, read: () => Promise.resolve(new Blob()),
});

test("no batch has more than 32 pictures or 16 MiB, and all are sent once, in order", () => {
  const sizes = Array.from({ length: 100 }, (_, i) => ((i * 7) % 13) * 0.4 * MB);
  const made = batches(sizes.map((size, i) => picture(i, size)));
  expect(made.flat().map(({ id }) => Number(id))).toEqual(sizes.map((_, i) => i));
  for (const batch of made) {
    expect(batch.length).toBeLessThanOrEqual(32);
    expect(batch.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(16 * MB);
  }
});

test("a picture that is too large by itself goes alone", () => {
  expect(batches([picture(0, MB), picture(1, 40 * MB), picture(2, MB)]).map((batch) => batch.length)).toEqual([1, 1, 1]);
});

test("nothing makes no batch", () => {
  expect(batches([])).toEqual([]);
});

test("the innermost folder is the label", () => {
  expect(placeMetadata({ folder: "shop/shoes" })).toEqual({ folder: "shop/shoes", label: "shoes" });
  expect(placeMetadata({ folder: "" })).toEqual({});
});

test("a collection can be named after any folder", () => {
  for (const name of ["My pictures (2024)", "_x", "Größe", "…", "a".repeat(99), "photos.zip"]) {
    expect(nameFor(name)).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
  }
  expect(nameFor("/home/me/photos.zip")).toBe("photos");
});

test("cells are quoted, and none is a formula", () => {
  expect(csv([["a,b", 'say "x"', "=1+1", "plain"]])).toBe('"a,b","say ""x""",\'=1+1,plain\r\n');
});

test("the time left is no more exact than it can be known", () => {
  expect(timeLeft(3)).toBe("a few seconds");
  expect(timeLeft(61)).toBe("65 seconds");
  expect(timeLeft(600)).toBe("10 minutes");
  expect(timeLeft(9000)).toBe("2.5 hours");
});
