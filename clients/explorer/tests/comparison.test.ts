import type { Comparison } from "lookalike-client";
import { expect, test } from "vitest";

import { BLANK, fault, having, request, REST } from "../src/compare/form.ts";
import { verdict } from "../src/compare/words.ts";

const figures = (auc: number, p: number, mmd: number) =>
  ({ figures: { mmd_p: mmd, separability: { auc: { value: auc }, p } } }) as unknown as Comparison;

test("the better of the two tests decides, their number allowed for", () => {
  expect(verdict(figures(0.6, 0.03, 0.5)).differ).toBe(false);
  expect(verdict(figures(0.6, 0.02, 0.5)).differ).toBe(true);
  expect(verdict(figures(0.5, 0.5, 0.001)).differ).toBe(true);
});

test("how much they differ is said by how well they are told apart", () => {
  expect(verdict(figures(0.99, 0, 0)).title).toBe("The sets differ clearly");
  expect(verdict(figures(0.55, 0.001, 0.5)).title).toBe("The sets differ a little");
});

const REAL = having("metadata.kind", "real", "real");

test("one value against all others needs one filter", () => {
  const { name, first, second } = request({ ...BLANK, first: REAL, second: REST });
  expect(name).toBe("real-the-rest");
  expect(first).toEqual({ title: "real", filter: { must: [{ key: "metadata.kind", match: { value: "real" } }] } });
  expect(second).toEqual({ title: "the rest" });
});

test("another collection is compared as a whole", () => {
  const asked = request({ ...BLANK, elsewhere: "others", second: { title: "others", filter: undefined } });
  expect(asked.second).toEqual({ title: "others", collection: "others" });
  expect(asked.first).not.toHaveProperty("filter");
});

test("sets that cannot be compared are told before they are sent", () => {
  expect(fault(BLANK)).toContain("first set");
  expect(fault({ ...BLANK, first: REAL, second: REAL })).toContain("same");
  expect(fault({ ...BLANK, first: REAL })).toBeUndefined();
  expect(fault({ ...BLANK, elsewhere: "others" })).toBeUndefined();
});
