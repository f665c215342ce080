// The figures of a clustering, in words.

import type { Clustering } from "lookalike-client";

import type { Cluster } from "./state.ts";

export interface Said {
  title: string;
  value: string;
  means: string;
  tone?: "good" | "warn";
}

type Figures = Record<string, number | null>;

/** What the figures say, the most telling first. Bounds of the silhouette: Kaufman & Rousseeuw 1990. */
export function tell({ diagnostics, drift, points }: Clustering): Said[] {
  const said = [silhouette(diagnostics), stability(diagnostics), hopkins(diagnostics), reduced(diagnostics), fitted(diagnostics, points)];
  if (drift && drift.images > 0) {
    said.push({
      title: "New images",
      value: drift.images.toLocaleString(),
      means: drift.recluster
        ? `Labelled since; ${percent(drift.share ?? 0)} of them fit badly, where ${percent(drift.expected)} is usual. Cluster anew.`
        : "Labelled since, and they fit in as well as can be expected.",
      ...(drift.recluster ? { tone: "warn" } : {}),
    });
  }
  return said.filter((one) => one !== undefined);
}

function silhouette(figures: Figures): Said | undefined {
  const value = figures["silhouette"];
  if (value == null) return undefined;
  const [means, tone] =
    value >= 0.5 ? (["Images are much nearer to their own cluster than to the next one.", "good"] as const)
    : value >= 0.25 ? (["There is structure, but neighbouring clusters touch.", undefined] as const)
    : (["Clusters overlap a lot: many images could as well be in the next one.", "warn"] as const);
  return { title: "Apart", value: value.toFixed(2), means: `${means} Silhouette, −1 to 1.`, ...(tone ? { tone } : {}) };
}

function stability(figures: Figures): Said | undefined {
  const value = figures["stability"];
  if (value == null) return undefined;
  const means =
    value >= 0.85 ? "Other samples of these images give nearly the same clusters."
    : value >= 0.6 ? "Other samples of these images give mostly the same clusters."
    : "Other samples of these images give other clusters: do not build on them.";
  const tone = value >= 0.85 ? "good" : value < 0.6 ? "warn" : undefined;
  return { title: "Stable", value: value.toFixed(2), means, ...(tone ? { tone } : {}) };
}

function hopkins(figures: Figures): Said | undefined {
  const value = figures["hopkins"];
  if (value == null) return undefined;
  const reducedFirst = figures["components"] != null;
  const means = !reducedFirst
    ? "Of little meaning in this many dimensions; reduce first to learn more."
    : value >= 0.75 ? "The images do form groups; they are not spread evenly."
    : "The images are spread rather evenly: there may be no clusters to find.";
  return {
    title: "Structure",
    value: value.toFixed(2),
    means: `${means} Hopkins, 0.5 is even.`,
    ...(reducedFirst && value < 0.75 ? { tone: "warn" } : {}),
  };
}

function reduced(figures: Figures): Said | undefined {
  const [components, variance] = [figures["components"], figures["explained_variance"]];
  if (components == null) return undefined;
  const kept = variance == null ? "" : `, which keep ${percent(variance)} of what differs`;
  return { title: "Dimensions", value: String(components), means: `Clustered in ${components} dimensions${kept}.` };
}

function fitted(figures: Figures, points: number): Said | undefined {
  const value = figures["fitted_points"];
  if (value == null) return undefined;
  return {
    title: "Sampled",
    value: value.toLocaleString(),
    means: `Found on so many of the ${points.toLocaleString()} images; the others were assigned.`,
  };
}

/** How a cluster hangs together; undefined where there is nothing to say. */
export function quality({ spread, separation, stability }: Cluster): { text: string; tone: "warn"; why: string } | undefined {
  if (stability != null && stability < 0.6) {
    return { text: "unstable", tone: "warn", why: `In other samples it is another (Jaccard ${stability.toFixed(2)}): not to be trusted.` };
  }
  if (separation == null) return undefined;
  if (spread > separation) {
    const why = `Its images are farther from its centre (${spread.toFixed(2)}) than the next cluster's centre is (${separation.toFixed(2)}).`;
    return { text: "overlaps", tone: "warn", why };
  }
  return undefined;
}

/** How much two clusterings agree, by the adjusted Rand index. */
export function agreementInWords(index: number): string {
  if (index >= 0.9) return "nearly the same clusters";
  if (index >= 0.65) return "largely the same clusters";
  if (index >= 0.3) return "clusters that agree in part";
  return "clusters that hardly agree more than by chance";
}

export function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
}
