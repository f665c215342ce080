import { tableFromArrays, tableToIPC } from "@uwdata/flechette";
import KDBush from "kdbush";
import { expect, test } from "vitest";

import { between, fitted, format, panned, parse, toMap, toScreen, type View, zoomed } from "../src/map/camera.ts";
import { byCluster, byField, byNumber } from "../src/map/colours.ts";
import { Crowd, declutter } from "../src/map/declutter.ts";
import { inside, type Path, rectangle } from "../src/map/lasso.ts";
import { nearest } from "../src/map/nearby.ts";
import { Points } from "../src/map/points.ts";
import { trust, verdict } from "../src/map/words.ts";
import { NOBODY } from "../src/ui/palette.ts";

const SIZE = { width: 1200, height: 700 };
const VIEW: View = { x: 0.2, y: -0.1, zoom: 3 };

function map(ids: readonly string[], more: Record<string, unknown[] | Float32Array> = {}): Points {
  const column = (step: number) => Float32Array.from(ids, (_, i) => i * step);
  const arrays = {
    id: [...ids], x: column(1), y: column(2),
    distortion: ids.map((_, i) => (i === 0 ? null : i / 10)), later: ids.map((_, i) => i === 1), ...more,
  };
  return new Points(tableToIPC(tableFromArrays(arrays), { format: "stream" })!);
}

function indexOf(places: Float32Array): KDBush {
  const index = new KDBush(places.length / 2, 64, Float32Array);
  for (let i = 0; i < places.length; i += 2) index.add(places[i]!, places[i + 1]!);
  return index.finish();
}

function scattered(count: number): Float32Array {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  return Float32Array.from({ length: 2 * count }, next);
}

test("a pixel is where its place on the map is", () => {
  const [x, y] = toMap(VIEW, SIZE, 300, 200);
  const [px, py] = toScreen(VIEW, SIZE, x, y);
  expect(px).toBeCloseTo(300);
  expect(py).toBeCloseTo(200);
});

test("what is under the pointer stays there while one zooms, and goes with it while one pans", () => {
  const place = toMap(VIEW, SIZE, 300, 200);
  const near = toScreen(zoomed(VIEW, SIZE, 2.5, 300, 200), SIZE, ...place);
  expect(near[0]).toBeCloseTo(300);
  expect(near[1]).toBeCloseTo(200);
  const moved = toScreen(panned(VIEW, SIZE, 40, -25), SIZE, ...place);
  expect(moved[0]).toBeCloseTo(340);
  expect(moved[1]).toBeCloseTo(175);
});

test("what is fitted lies beside what covers the map", () => {
  const covered = { left: 0, right: 300, top: 0, bottom: 50 };
  const view = fitted({ minX: -1, minY: -0.5, maxX: 1, maxY: 0.5 }, SIZE, covered);
  for (const [x, y] of [[-1, -0.5], [1, 0.5]] as const) {
    const [px, py] = toScreen(view, SIZE, x, y);
    expect(px).toBeGreaterThanOrEqual(0);
    expect(px).toBeLessThanOrEqual(900);
    expect(py).toBeGreaterThanOrEqual(0);
    expect(py).toBeLessThanOrEqual(650);
  }
});

test("a flight begins and ends where it should", () => {
  const to = { x: -0.4, y: 0.3, zoom: 40 };
  expect(between(VIEW, to, 0)).toEqual(VIEW);
  for (const [name, value] of Object.entries(between(VIEW, to, 1))) expect(value).toBeCloseTo(to[name as keyof View]);
});

test("a view survives the address, and nonsense there is no view", () => {
  expect(parse(format(VIEW))).toEqual(VIEW);
  for (const text of [undefined, "", "1,2", "a,b,c", "1,2,0", "1,2,3,4", "NaN,1,1"]) expect(parse(text)).toBeUndefined();
});

test("a map is read from the service's Arrow", () => {
  const points = map(["a", "b", "c"]);
  expect([points.count, points.dimensions, points.id(2), points.row("b"), points.row("z")]).toEqual([3, 2, "c", 1, undefined]);
  expect(points.distortion[0]).toBeNaN();
  expect(points.distortion[2]).toBeCloseTo(0.2);
  expect([...points.later]).toEqual([0, 1, 0]);
  expect([...points.places("xy")]).toEqual([-0.5, -1, 0, 0, 0.5, 1]); // as wide as it is in truth
});

test("a map of three dimensions shows the two that are asked for", () => {
  const points = map(["a", "b"], { z: new Float32Array([5, 1]) });
  expect(points.dimensions).toBe(3);
  expect([...points.places("xz")]).toEqual([-0.25, 1, 0.25, -1]);
});

test("images are found again on another map, whichever order and number they have there", () => {
  const points = map(["a", "b", "c"]);
  expect([...points.rowsIn(map(["a", "b", "c"]))]).toEqual([0, 1, 2]);
  expect([...points.rowsIn(map(["c", "a", "x", "y"]))]).toEqual([1, -1, 0]);
  expect([...points.rowsIn(map(["a", "c", "b"]))]).toEqual([0, 2, 1]);
});

test("noise is grey and comes after the clusters, and images without a label last", () => {
  const { codes, colours, entries } = byCluster([-1, 3, null, 3, 5], 5, (label) => (label < 0 ? "noise" : `no. ${label}`));
  expect(entries.map(({ label, images, value }) => [label, images, value])).toEqual([
    ["no. 3", 2, 3], ["no. 5", 1, 5], ["noise", 1, -1], ["not in this clustering", 1, undefined],
  ]);
  expect([...codes]).toEqual([2, 0, 3, 0, 1]);
  expect(colours[2]).toEqual(NOBODY);
  expect(colours[0]).not.toEqual(colours[1]);
});

test("of very many values the frequent ones have a colour, and the others share one", () => {
  const values = Array.from({ length: 100_000 }, (_, i) => (i % 10 === 0 ? "often" : `once ${i}`));
  const { codes, entries } = byField(values, values.length, "field");
  expect(entries.length).toBe(40);
  expect(entries[0]).toMatchObject({ label: "often", images: 10_000 });
  expect(entries.at(-1)).toMatchObject({ label: "other", value: undefined });
  expect(entries.reduce((sum, { images }) => sum + images, 0)).toBe(100_000);
  for (const { code, images } of entries) expect(codes.filter((one) => one === code).length).toBe(images);
});

test("many numbers lie on a scale, a few are values", () => {
  const many = byField(Array.from({ length: 50 }, (_, i) => i), 50, "year");
  expect(many.scale).toEqual({ least: 0, most: 49, says: "year" });
  expect(many.codes[0]).toBe(0);
  expect(many.codes[49]).toBe(63);
  expect(byField([1, 2, 1, null], 4, "stars").entries.map(({ label }) => label)).toEqual(["1", "2", "no stars"]);
});

test("what has no number is not on the scale", () => {
  const { entries, codes } = byNumber(new Float32Array([0, NaN, 1]), { least: 0, most: 1, says: "" });
  expect(entries).toEqual([{ code: 64, label: "not known", images: 1 }]);
  expect([...codes]).toEqual([0, 64, 63]);
});

test("a lasso holds what lies in it, also where it is hollow", () => {
  const places = scattered(2_000);
  const index = indexOf(places);
  const hollow: Path = [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [0, -0.5], [-0.8, 0.8]];
  const within = inside(hollow, places, index);
  expect(within.length).toBeGreaterThan(100);
  for (const row of within) expect(Math.abs(places[2 * row]!)).toBeLessThanOrEqual(0.8);
  expect(within.some((row) => Math.abs(places[2 * row]!) < 0.05 && places[2 * row + 1]! > 0)).toBe(false);
  const boxed = inside(rectangle([0.5, 0.5], [-0.5, -0.5]), places, index);
  const counted = Array.from({ length: 2_000 }, (_, row) => row).filter(
    (row) => Math.abs(places[2 * row]!) < 0.5 && Math.abs(places[2 * row + 1]!) < 0.5,
  );
  expect(boxed.toSorted((a, b) => a - b)).toEqual(counted);
  expect(inside([[0, 0], [1, 1]], places, index)).toEqual([]);
});

test("the nearest image is found, and none that is further than the pointer reaches", () => {
  const places = new Float32Array([0, 0, 0.1, 0, 0.5, 0.5]);
  const index = indexOf(places);
  expect(nearest(index, places, 0.08, 0.01, 0.2)).toBe(1);
  expect(nearest(index, places, -0.5, -0.5, 0.2)).toBeUndefined();
});

test("thumbnails do not lie on each other, stay while one pans, and are only where there is room", () => {
  const places = scattered(3_000);
  const index = indexOf(places);
  const crowd = new Crowd(places);
  const all = () => true;
  const shown = declutter(VIEW, SIZE, places, index, crowd, all);
  expect(shown.length).toBeGreaterThan(20);
  expect(shown.length).toBeLessThanOrEqual(150);
  const pixels = shown.map((row) => toScreen(VIEW, SIZE, places[2 * row]!, places[2 * row + 1]!));
  for (const [i, [x, y]] of pixels.entries()) {
    for (const [ox, oy] of pixels.slice(i + 1)) expect(Math.max(Math.abs(x - ox), Math.abs(y - oy))).toBeGreaterThan(56);
  }
  const later = new Set(declutter(panned(VIEW, SIZE, 30, 10), SIZE, places, index, crowd, all));
  const inner = shown.filter((_, i) => pixels[i]![0] > 200 && pixels[i]![0] < 1000 && pixels[i]![1] > 200 && pixels[i]![1] < 500);
  expect(inner.filter((row) => later.has(row)).length).toBeGreaterThanOrEqual(0.8 * inner.length);
  const crowded = scattered(60_000);
  expect(declutter({ x: 0, y: 0, zoom: 1 }, SIZE, crowded, indexOf(crowded), new Crowd(crowded), all)).toEqual([]);
  expect(declutter(VIEW, SIZE, places, index, crowd, () => false)).toEqual([]);
});

test("a map is as trustworthy in words as in figures", () => {
  const projection = (trustworthiness: number) =>
    ({ method: "umap", dimensions: 2, diagnostics: { trustworthiness } }) as unknown as Parameters<typeof trust>[0];
  expect(verdict(projection(0.99))?.tone).toBe("good");
  expect(verdict(projection(0.9))?.tone).toBe("warn");
  expect(verdict(projection(0.6))?.tone).toBe("bad");
  expect(trust(projection(0.6)).join(" ")).toContain("not alike in truth");
});
