// What speaks for a number of clusters, as curves.

import type { Clustering } from "lookalike-client";

type Sweep = NonNullable<Clustering["sweep"]>;
export type Criterion = Sweep["criterion"];

export const CRITERIA: Record<Criterion, { name: string; means: string }> = {
  silhouette: {
    name: "Silhouette",
    means: "How much nearer images are to their own cluster than to the next one. The highest is best.",
  },
  elbow: { name: "Elbow", means: "What is left within the clusters. The best is where adding more stops to pay: the knee." },
  calinski_harabasz: { name: "Calinski–Harabasz", means: "How far clusters are apart for how wide they are. The highest is best." },
  davies_bouldin: { name: "Davies–Bouldin", means: "How alike each cluster is to its most similar other. The lowest is best." },
  gap: {
    name: "Gap",
    means: "How much better than for points without any structure. The first that the next one does not beat is best.",
  },
};

export interface Point {
  k: number;
  value: number;
  low?: number;
  high?: number;
}

/** The points of a criterion where it is defined, with bounds where it has some, and the range of all. */
export function curve(candidates: Sweep["candidates"], criterion: Criterion): { points: Point[]; low: number; high: number } {
  const points = candidates.flatMap((one) => {
    const value = criterion === "elbow" ? one.within : one[criterion];
    return value == null ? [] : [{ k: one.k, value, ...bounds(one, criterion) }];
  });
  const all = points.flatMap((one: Point) => [one.value, one.low ?? one.value, one.high ?? one.value]);
  return { points, low: Math.min(...all), high: Math.max(...all) };
}

function bounds(one: Sweep["candidates"][number], criterion: Criterion): { low?: number; high?: number } {
  if (criterion === "silhouette" && one.silhouette_low != null && one.silhouette_high != null) {
    return { low: one.silhouette_low, high: one.silhouette_high };
  }
  if (criterion === "gap" && one.gap != null && one.gap_error != null) {
    return { low: one.gap - one.gap_error, high: one.gap + one.gap_error };
  }
  return {};
}
