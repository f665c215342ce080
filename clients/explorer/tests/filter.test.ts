import { describe as group, expect, test } from "vitest";

import { type Condition, describe, read, write } from "../src/filter/conditions.ts";

const CONDITIONS: Condition[] = [
  { kind: "any", field: "metadata.label", values: ["a"], not: false },
  { kind: "any", field: "metadata.label", values: ["a", "b"], not: false },
  { kind: "any", field: "clusters.kmeans", values: [-1], not: true },
  { kind: "any", field: "metadata.checked", values: [true], not: false },
  { kind: "range", field: "metadata.age", gte: 1, lte: undefined, not: false },
  { kind: "empty", field: "metadata.label", not: true },
  { kind: "ids", ids: ["a.jpg"], not: false },
];

group("conditions", () => {
  test.each(CONDITIONS)("are read as they were written: $kind, not: $not", (one) => {
    expect(read(JSON.parse(JSON.stringify(write([one]))))).toEqual([one]);
  });

  test("none are no filter", () => {
    expect(write([])).toBeUndefined();
    expect(read(undefined)).toEqual([]);
  });

  test.each([
    { should: [{ key: "metadata.a", match: { value: 1 } }] },
    { must: [{ must: [] }] },
    { must: [{ key: "metadata.a", range: { gt: 1 } }] },
    { must: [{ key: "metadata.a", match: { except: ["b"] } }] },
    { must: ["nonsense"] },
  ])("that cannot be shown are not pretended to be: %j", (filter) => {
    expect(read(filter)).toBeUndefined();
  });

  test("are told in words", () => {
    const words = CONDITIONS.map((one) => describe(one, (_, value) => (value === -1 ? "noise" : String(value))));
    expect(words).toEqual([
      "label is a", "label is a or b", "kmeans is not noise", "checked is true", "age ≥ 1", "has label", "1 chosen",
    ]);
  });
});
