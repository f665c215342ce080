// A map in words: what it keeps, how far to trust it, and what is on it for those who do not see it.

import type { Projection } from "lookalike-client";

import type { Colouring } from "./colours.ts";

/** A method of making a map. */
export interface Method {
  name: string;
  title: string;
  /** What it keeps, and so what may be read from it. */
  keeps: string;
  parameters: readonly Parameter[];
}

/** A number that a method takes. */
export interface Parameter {
  name: string;
  title: string;
  usual: number;
  least: number;
  most: number;
  whole: boolean;
  meaning: string;
}

const NEIGHBOURS: Parameter = {
  name: "n_neighbors", title: "Neighbours", usual: 15, least: 2, most: 200, whole: true,
  meaning: "Few show fine detail, many the large structure.",
};
const MIN_DIST: Parameter = {
  name: "min_dist", title: "Least distance", usual: 0.1, least: 0, most: 0.99, whole: false,
  meaning: "How tightly images may lie together: 0 makes dense clumps, 0.5 spreads them.",
};

/** The methods, the one to try first first. */
export const METHODS: readonly Method[] = [
  {
    name: "umap", title: "UMAP",
    keeps: "Keeps neighbours together. How far apart two groups lie means little.",
    parameters: [NEIGHBOURS, MIN_DIST],
  },
  {
    name: "pacmap", title: "PaCMAP",
    keeps: "Keeps neighbours together and the large structure too.",
    parameters: [{ ...NEIGHBOURS, usual: 10 }],
  },
  {
    name: "tsne", title: "t-SNE",
    keeps: "Shows neighbours in most detail. Sizes of groups and far distances mean little.",
    parameters: [
      {
        name: "perplexity", title: "Perplexity", usual: 30, least: 2, most: 200, whole: false,
        meaning: "About how many neighbours each image has.",
      },
    ],
  },
  {
    name: "densmap", title: "densMAP",
    keeps: "As UMAP, and groups that are dense in truth are dense on the map.",
    parameters: [
      NEIGHBOURS, MIN_DIST,
      {
        name: "dens_lambda", title: "Weight of density", usual: 2, least: 0, most: 10, whole: false,
        meaning: "How much density counts beside neighbours; with 0 it is UMAP.",
      },
    ],
  },
  {
    name: "supervised_umap", title: "UMAP by labels",
    keeps: "Draws images with the same label together: it shows the labels, not whether they can be found.",
    parameters: [
      NEIGHBOURS, MIN_DIST,
      {
        name: "target_weight", title: "Weight of labels", usual: 0.5, least: 0, most: 1, whole: false,
        meaning: "0 looks at the images alone, 1 at the labels alone.",
      },
    ],
  },
  {
    name: "pca", title: "PCA",
    keeps: "Shows the directions in which images differ most. Distances keep their meaning, but groups overlap.",
    parameters: [],
  },
];

export function methodTitle(name: string): string {
  return METHODS.find((one) => one.name === name)?.title ?? name;
}

/** What may be believed of a map, the most important first. */
export function trust({ method, dimensions, diagnostics }: Projection): string[] {
  const figure = (name: string) => diagnostics[name] ?? undefined;
  const said: (string | undefined)[] = [
    METHODS.find((one) => one.name === method)?.keeps,
    told(figure("trustworthiness"), (share) =>
      share >= 0.95
        ? "Images that lie near each other here are alike: you can trust neighbours."
        : share >= 0.85
          ? "Most images that lie near each other here are alike, but not all: look before you conclude."
          : "Many images that lie near each other here are not alike in truth.",
    ),
    told(figure("continuity"), (share) =>
      share >= 0.95
        ? "Images that are alike are hardly torn apart."
        : share >= 0.85
          ? "Some images that are alike were torn apart."
          : "Many images that are alike were torn apart: what lies far away may still be similar.",
    ),
    told(figure("neighbours_kept"), (share) => `Of the 15 images most like one, ${percent(share)} are among the 15 nearest to it here.`),
    told(figure("explained_variance"), (share) => `The map holds ${percent(share)} of all differences between the images.`),
    told(figure("label_accuracy"), (share) => {
      const before = figure("label_accuracy_before");
      const truth = before === undefined ? "" : `; in truth for ${percent(before)}`;
      return `For ${percent(share)} of the images most neighbours here have the same label${truth}.`;
    }),
    told(figure("moved"), (share) => `Compared with the map it was laid over, images moved by ${percent(share)} of its radius on average.`),
    dimensions === 3 ? "It has three dimensions, of which two are shown; choose which." : undefined,
  ];
  return said.filter((one) => one !== undefined);
}

/** How far to trust it, in a word. */
export function verdict({ diagnostics }: Projection): { text: string; tone: "good" | "warn" | "bad" } | undefined {
  const share = diagnostics["trustworthiness"];
  if (share === undefined || share === null) return undefined;
  if (share >= 0.95) return { text: "trustworthy", tone: "good" };
  return share >= 0.85 ? { text: "mostly trustworthy", tone: "warn" } : { text: "trust it little", tone: "bad" };
}

/** The map for those who do not see it. */
export function summary(projection: Projection, count: number, { entries, scale }: Colouring, by: string): string {
  const map = `${methodTitle(projection.method)} map of ${count.toLocaleString()} images, coloured by ${by}`;
  if (scale) return `${map}, from ${number(scale.least)} to ${number(scale.most)}.`;
  if (entries.length === 0) return `${map}.`;
  const groups = entries.slice(0, 10).map(({ label, images }) => `${label} ${images.toLocaleString()}`);
  const rest = entries.length > 10 ? `, and ${entries.length - 10} more` : "";
  return `${map}: ${groups.join(", ")}${rest}.`;
}

export function number(value: number): string {
  return value.toLocaleString(undefined, { maximumSignificantDigits: 4 });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;
}

function told(figure: number | undefined, say: (figure: number) => string): string | undefined {
  return figure === undefined ? undefined : say(figure);
}
