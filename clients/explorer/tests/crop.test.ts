import { expect, test } from "vitest";

import { dragged, settled } from "../src/search/crop.ts";

const bounds = { width: 200, height: 100 };
const part = { left: 50, top: 20, width: 60, height: 40 };
const at = (x: number, y: number) => ({ x, y });

test("a new part lies between where the drag began and where it is, in any direction", () => {
  const wanted = { left: 10, top: 5, width: 30, height: 20 };
  expect(dragged("new", part, at(10, 5), at(40, 25), bounds)).toEqual(wanted);
  expect(dragged("new", part, at(40, 25), at(10, 5), bounds)).toEqual(wanted);
});

test("a part that is moved keeps its size and stays in the picture", () => {
  expect(dragged("move", part, at(0, 0), at(500, -500), bounds)).toEqual({ left: 140, top: 0, width: 60, height: 40 });
});

test("an edge that is moved leaves the others where they are", () => {
  expect(dragged("e", part, at(110, 0), at(130, 70), bounds)).toEqual({ ...part, width: 80 });
  expect(dragged("nw", part, at(50, 20), at(40, 10), bounds)).toEqual({ left: 40, top: 10, width: 70, height: 50 });
});

test("an edge that is dragged across the other one turns the part over", () => {
  expect(dragged("w", part, at(50, 0), at(150, 0), bounds)).toEqual({ left: 110, top: 20, width: 40, height: 40 });
});

test("a settled part is of whole pixels within the picture, or none if it is too small", () => {
  expect(settled({ left: -0.4, top: 0.6, width: 200.2, height: 99.8 }, bounds, 16)).toEqual({
    left: 0, top: 1, width: 200, height: 99,
  });
  expect(settled({ left: 0, top: 0, width: 15, height: 50 }, bounds, 16)).toBeUndefined();
});
