import { expect, test } from "vitest";

import { layout } from "../src/clusters/flow.ts";

function run(name: string, sizes: number[]) {
  const clusters = sizes.map((size, label) => ({ label, name: null, size }));
  return { name, created_at: "", points: 0, clusters };
}

const flow = (label: number, later: number, images: number, size: number) => ({
  label, later, images, share: images / size, later_share: 0,
});

const lineage = {
  run: run("before", [60, 40]),
  later: run("after", [40, 35, 25]),
  points: 100,
  flows: [flow(0, 1, 35, 60), flow(1, 0, 40, 40), flow(0, 2, 25, 60)],
};

test("boxes are as high as they have images, on both sides by one scale", () => {
  const { left, right } = layout(lineage);
  const scale = left[0]!.height / 60;
  for (const box of [...left, ...right]) expect(box.height).toBeCloseTo(box.size * scale);
});

test("boxes on the right lie in the order of where their images come from", () => {
  expect(layout(lineage).right.map(({ label }) => label)).toEqual([1, 2, 0]);
});

test("bands fill the boxes they leave and enter, without overlap", () => {
  const { left, right, bands } = layout(lineage);
  for (const [boxes, side, y] of [[left, "from", "y0"], [right, "to", "y1"]] as const) {
    for (const box of boxes) {
      let at = box.y;
      for (const band of bands.filter((one) => one[side] === box.label).sort((a, b) => a[y] - b[y])) {
        expect(band[y]).toBeCloseTo(at);
        at += band.height;
      }
      expect(at).toBeCloseTo(box.y + box.height);
    }
  }
});

test("clusters without images in both runs have no box", () => {
  const absent = { ...lineage, later: run("after", [40, 35, 25, 0]) };
  expect(layout(absent).right).toHaveLength(3);
});
