import { describe, expect, test } from "vitest";

import { asked, marked, newSearch, options, parse, type Query } from "../src/search/query.ts";
import { merged } from "../src/state/route.ts";

const byImage = (more: Record<string, string> = {}) => parse({ id: "a.jpg", ...more })!;

describe("a search in the address", () => {
  test("an address without a query is no search", () => {
    expect(parse({ group: "metadata.label" })).toBeUndefined();
  });

  test("examples alone are a search, marks of things to avoid are not", () => {
    expect(parse({ like: '["a","b"]' })?.source).toEqual({ kind: "examples" });
    expect(parse({ unlike: '["a"]' })).toBeUndefined();
  });

  test.each(["[1,2]", "{", '"a"', "null"])("ids that someone mangled (%s) are left out", (like) => {
    expect(byImage({ like }).like).toEqual([]);
  });

  test.each(["1,2,3", "1,2,3,x", "1,2,3,4,5", "0,0,0,9", ""])("a region that is none (%s) is the whole", (region) => {
    expect(byImage({ region }).region).toBeUndefined();
  });

  test("numbers beyond what the service takes are brought back", () => {
    const query = byImage({ n: "99999", diversity: "7" });
    expect([query.limit, query.diversity]).toEqual([1000, 1]);
  });

  test("a new search keeps the options and forgets what belonged to the old one", () => {
    const before = { id: "a", like: '["b"]', region: "1,2,30,40", group: "metadata.label", n: "96" };
    const after = merged(before, newSearch({ kind: "text", text: "a cup" }));
    expect(after).toEqual({ text: "a cup", group: "metadata.label" });
  });
});

describe("marks", () => {
  const apply = (query: Query, id: string, as: "like" | "unlike") =>
    byImage(merged({}, marked(query, id, as)) as Record<string, string>);

  test("an image is liked, then disliked, then neither", () => {
    const liked = apply(byImage(), "b", "like");
    expect([liked.like, liked.unlike]).toEqual([["b"], []]);
    const disliked = apply(liked, "b", "unlike");
    expect([disliked.like, disliked.unlike]).toEqual([[], ["b"]]);
    const neither = apply(disliked, "b", "unlike");
    expect([neither.like, neither.unlike]).toEqual([[], []]);
  });

  test("with marks an image is the first of the examples", () => {
    const query = byImage({ like: '["b"]', unlike: '["c"]' });
    expect(asked(query, undefined)).toEqual({ positive: ["a.jpg", "b"], negative: ["c"] });
  });

  test("what is no indexed image comes as its vector", () => {
    const query = parse({ text: "a cup", unlike: '["c"]' })!;
    expect(asked(query, [0.6, 0.8])).toEqual({ positive: [[0.6, 0.8]], negative: ["c"] });
  });
});

test("groups and diversity are not asked for together, which the service refuses", () => {
  const sent = options(byImage({ group: "metadata.label", diversity: "0.5" }), undefined);
  expect(sent).toEqual({ limit: 48, group_by: "metadata.label" });
});
