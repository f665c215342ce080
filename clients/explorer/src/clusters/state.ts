// Which clustering is looked at, which of its clusters, and by what field they are told apart.

import { computed } from "@preact/signals";
import type { Agreement, Clustering, Filter } from "lookalike-client";

import { both, read, write } from "../filter/conditions.ts";
import { filter } from "../filter/state.ts";
import { clusterings, described } from "../state/service.ts";
import { route } from "../state/route.ts";

export type Cluster = Clustering["clusters"][number];

/** The clustering of the address, or the one made last. */
export const run = computed<Clustering | undefined>(() => {
  const all = clusterings.value ?? [];
  const named = all.find((one) => one.name === route.value.params["run"]);
  return named ?? all.toSorted((a, b) => b.created_at.localeCompare(a.created_at))[0];
});

/** The fields that clusters can be told apart by: those whose values are words or whole numbers. */
export const fields = computed<string[]>(() =>
  Object.entries(described.value?.fields ?? {})
    .filter(([, types]) => !types.includes("float"))
    .map(([name]) => name)
    .sort(),
);

const USUAL = ["metadata.label", "metadata.class", "metadata.category"];

/** The field of the address, or the usual one. */
export const field = computed<string | undefined>(() => {
  const asked = route.value.params["by"];
  if (asked !== undefined && fields.value.includes(asked)) return asked;
  return USUAL.find((name) => fields.value.includes(name)) ?? fields.value[0];
});

/** A value of the field in a cluster. */
export interface Share {
  value: string;
  /** Its place among all values of the field, for its colour. */
  index: number;
  images: number;
  share: number;
}

/** What a cluster is made of by the field, the most frequent value first; undefined where none has a value. */
export function composition(agreement: Agreement | undefined, label: number): Share[] | undefined {
  const row = agreement?.confusion[agreement.clusters.indexOf(label)];
  if (!agreement || !row) return undefined;
  const all = row.reduce((sum, images) => sum + images, 0);
  if (all === 0) return undefined;
  return row
    .map((images, index) => ({ value: agreement.values[index]!, index, images, share: images / all }))
    .filter((one) => one.images > 0)
    .sort((a, b) => b.images - a.images);
}

export const SORTS = [
  ["size", "Largest first"],
  ["name", "By name"],
  ["spread", "Tightest first"],
  ["purity", "Purest first"],
  ["mixed", "Most mixed first"],
] as const;
export type Sort = (typeof SORTS)[number][0];

/** The clusters in the order that is asked for. */
export function sorted(clusters: readonly Cluster[], by: Sort, purity: (label: number) => number): Cluster[] {
  const order: Record<Sort, (a: Cluster, b: Cluster) => number> = {
    size: (a, b) => b.size - a.size,
    name: (a, b) => nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true }),
    spread: (a, b) => a.spread - b.spread,
    purity: (a, b) => purity(b.label) - purity(a.label),
    mixed: (a, b) => purity(a.label) - purity(b.label),
  };
  return clusters.toSorted((a, b) => order[by](a, b) || a.label - b.label);
}

export function nameOf({ name, label }: Pick<Cluster, "label"> & { name?: string | null }): string {
  return name ?? `cluster ${label}`;
}

/** The shared filter, and of it only the images of a cluster. */
export function within(clustering: string, label: number): Filter {
  const only = { kind: "any", field: `clusters.${clustering}`, values: [label], not: false } as const;
  const conditions = read(filter.value);
  return conditions ? write([...conditions, only])! : both(filter.value, write([only]))!;
}
