import { describe, expect, test } from "vitest";

import { patch, read, shown } from "../src/picture/values.ts";
import { curl } from "../src/search/curl.ts";
import { meaning, odds } from "../src/search/meaning.ts";
import { format, parse } from "../src/state/route.ts";

describe("what a score means", () => {
  test.each([[0.000_02, "1 in 50,000"], [0.018, "1 in 56"], [0.5, "50 in 100"], [0, "None"]])("%d is %s", (share, words) => {
    expect(odds(share)).toBe(words);
  });

  test("without a calibration nothing is said", () => {
    expect(meaning({ chance: null, expected: null, verdict: null })).toBeUndefined();
  });

  test("how many would be found by chance", () => {
    const said = meaning({ chance: 0.02, expected: 9.4, verdict: "no_good_match" });
    expect(said).toContain("1 in 50 of unrelated images");
    expect(said).toContain("about 9");
  });
});

describe("the command", () => {
  const where = { keyed: true, picture: "it's.jpg" };

  test("a search in JSON is sent as it is, quoted for a shell", () => {
    const text = curl("http://host:3000", "a b", { text: "it's" } as never, where);
    expect(text).toContain("'http://host:3000/v1/collections/a%20b/search'");
    expect(text).toContain(`-d '{"text":"it'\\''s"}'`);
    expect(text).toContain("$LOOKALIKE_API_KEY");
  });

  test("a picture is a file, and its options are in the query string", () => {
    const region = { left: 1, top: 2, width: 30, height: 40 };
    const text = curl("http://h", "c", { image: new Blob(), limit: 5, region }, { ...where, keyed: false });
    expect(text).toContain("limit=5&region=1%2C2%2C30%2C40");
    expect(text).toContain(`-F 'image=@it'\\''s.jpg'`);
    expect(text).not.toContain("Authorization");
  });
});

describe("metadata in an editor", () => {
  test.each([["cat"], ["12"], [12], [true], [null], [["a", 1]], ["true"], [""]])("%j is read as it was shown", (value) => {
    expect(read(shown(value))).toEqual(value);
  });

  test("only what changed is sent; null takes a key away", () => {
    const before = { label: "cat", age: 3, seen: true };
    const rows = [{ key: "label", text: "dog" }, { key: "age", text: "3" }, { key: "new", text: "x" }, { key: " ", text: "y" }];
    expect(patch(before, rows)).toEqual({ label: "dog", new: "x", seen: null });
  });
});

describe("the address", () => {
  test("is read as it was written", () => {
    const route = { room: "map", collection: "a & b", params: { filter: '{"must":[]}', id: "a/b?c.jpg" } } as const;
    expect(parse(format(route))).toEqual(route);
  });

  test("a room that is none is the first", () => {
    expect(parse("?room=kitchen")).toEqual({ room: "search", collection: undefined, params: {} });
  });
});
