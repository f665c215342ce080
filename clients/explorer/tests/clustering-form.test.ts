import type { Algorithm } from "lookalike-client";
import { expect, test } from "vitest";

import { blank, fault, request } from "../src/clusters/form.ts";

const parameter = { minimum: null, maximum: null, choices: [], at_most_points: false } as const;
const kmeans = {
  name: "kmeans",
  meaning: "",
  most_points: null,
  parameters: [
    { ...parameter, name: "k", type: "integer", default: 8, meaning: "", minimum: 1 },
    { ...parameter, name: "n_init", type: "integer", default: 3, meaning: "", minimum: 1, maximum: 100 },
  ],
} as unknown as Algorithm;
const dbscan = {
  name: "dbscan",
  meaning: "",
  most_points: null,
  parameters: [{ ...parameter, name: "eps", type: "number", default: null, meaning: "", minimum: 1e-9 }],
} as unknown as Algorithm;

test("at first the number of clusters is looked for among as many as so many images bear", () => {
  expect(request(blank(400), kmeans, undefined).parameters).toEqual({ k: [2, 20] });
  expect(request(blank(3), kmeans, undefined).parameters).toEqual({ k: [2, 3] });
});

test("what is left empty is left out, so that the service's default holds", () => {
  const form = { ...blank(400), ranged: false, values: { k: "5", n_init: " " } };
  expect(request(form, kmeans, undefined).parameters).toEqual({ k: 5 });
});

test("a range is for algorithms with a number of clusters only", () => {
  expect(request({ ...blank(400), algorithm: "dbscan" }, dbscan, undefined).parameters).toEqual({});
});

test("what cannot be is told with what can", () => {
  expect(fault({ ...blank(400), ranged: false, values: { k: "0" } }, kmeans)).toContain("from 1");
  expect(fault({ ...blank(400), ranged: false, values: { k: "2.5" } }, kmeans)).toContain("whole number");
  expect(fault({ ...blank(400), values: { n_init: "101" } }, kmeans)).toContain("to 100");
  expect(fault({ ...blank(400), from: "9", to: "3" }, kmeans)).toContain("larger");
  expect(fault({ ...blank(400), to: "90" }, kmeans)).toContain("50");
  expect(fault({ ...blank(400), name: "-" }, kmeans)).toContain("Name");
  expect(fault(blank(400), kmeans)).toBeUndefined();
});

test("the shared filter goes along only if asked for", () => {
  const filter = { must: [] };
  expect(request(blank(9), kmeans, filter)).not.toHaveProperty("filter");
  expect(request({ ...blank(9), onlyFilter: true }, kmeans, filter).filter).toBe(filter);
});
