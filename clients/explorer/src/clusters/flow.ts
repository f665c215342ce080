// Where the images of one clustering's clusters are in another: boxes on two sides, and bands between them.

import type { Lineage } from "lookalike-client";

export interface Box {
  label: number;
  name: string;
  size: number;
  y: number;
  height: number;
}

export interface Band {
  from: number;
  to: number;
  images: number;
  /** Of the first cluster's images. */
  share: number;
  y0: number;
  y1: number;
  height: number;
}

export interface Flow {
  left: Box[];
  right: Box[];
  bands: Band[];
  height: number;
}

const GAP = 8;
const LEAST = 340;
const PER_BOX = 26;

/** Boxes as high as they have images; those on the right lie where most of theirs come from. */
export function layout(lineage: Pick<Lineage, "run" | "later" | "flows" | "points">): Flow {
  const [before, after] = [lineage.run.clusters, lineage.later.clusters].map((all) => all.filter((one) => one.size > 0)) as [
    Lineage["run"]["clusters"],
    Lineage["run"]["clusters"],
  ];
  const most = Math.max(before.length, after.length);
  const height = Math.max(LEAST, most * PER_BOX);
  const scale = (height - GAP * (most - 1)) / Math.max(1, lineage.points); // one for both sides
  const left = stacked(before, scale);
  const place = new Map(left.map((box) => [box.label, box.y + box.height / 2]));
  const origin = (label: number) => {
    const into = lineage.flows.filter((flow) => flow.later === label);
    const all = into.reduce((sum, flow) => sum + flow.images, 0);
    return into.reduce((sum, flow) => sum + flow.images * (place.get(flow.label) ?? 0), 0) / Math.max(1, all);
  };
  const right = stacked(after.toSorted((a, b) => origin(a.label) - origin(b.label)), scale);
  return { left, right, bands: bands(lineage.flows, left, right), height };
}

function stacked(clusters: Lineage["run"]["clusters"], scale: number): Box[] {
  let y = 0;
  return clusters.map(({ label, name, size }) => {
    const box = { label, name: label === -1 ? "noise" : (name ?? `cluster ${label}`), size, y, height: size * scale };
    y += box.height + GAP;
    return box;
  });
}

/** Bands leave and enter each box in the order of the boxes on the other side, so that few cross. */
function bands(flows: Lineage["flows"], left: readonly Box[], right: readonly Box[]): Band[] {
  const from = new Map(left.map((box, i) => [box.label, { box, i, at: box.y }]));
  const to = new Map(right.map((box, i) => [box.label, { box, i, at: box.y }]));
  const known = flows.flatMap((flow) => {
    const [start, end] = [from.get(flow.label), to.get(flow.later)];
    return start && end ? [{ flow, start, end }] : [];
  });
  const made = known
    .toSorted((a, b) => a.start.i - b.start.i || a.end.i - b.end.i)
    .map(({ flow, start, end }) => {
      const height = (flow.images / start.box.size) * start.box.height;
      const band = { ...flow, start, end, y0: start.at, height };
      start.at += height;
      return band;
    });
  return made
    .toSorted((a, b) => a.end.i - b.end.i || a.start.i - b.start.i)
    .map(({ start, end, images, share, y0, height }) => {
      const y1 = end.at;
      end.at += (images / end.box.size) * end.box.height;
      return { from: start.box.label, to: end.box.label, images, share, y0, y1, height };
    });
}
