// Which map is looked at, and what its colours say. The address holds: `projection`, `color`, `only` (the group that is
// lit up), `axes` and `at` (the view).

import { computed, signal } from "@preact/signals";
import type { Projection } from "lookalike-client";

import { fieldName } from "../filter/conditions.ts";
import { succeeded } from "../jobs/state.ts";
import { Resource } from "../state/resource.ts";
import { clusterings, collection, described } from "../state/service.ts";
import { route } from "../state/route.ts";
import { AXES, type Axes } from "./points.ts";

const inMap = computed(() => route.value.room === "map");

/** All maps of the collection, the last one made first. */
export const projections = new Resource((signal) => {
  void succeeded.value; // one may have been made
  if (!inMap.value) return undefined;
  const all = collection.value?.projections({ signal });
  return all?.then((found) => found.toSorted((a, b) => b.created_at.localeCompare(a.created_at)));
});

/** The map of the address, or the one made last. */
export const projection = computed<Projection | undefined>(() => {
  const all = projections.value ?? [];
  return all.find((one) => one.name === route.value.params["projection"]) ?? all[0];
});

/** How many images the collection has; a map is read again when that changes. */
export const images = computed(() => described.value?.points);

export const axes = computed<Axes>(() => AXES.find((one) => one === route.value.params["axes"]) ?? "xy");

/** Colours that need no field. */
export const NONE = "none";
export const DISTORTION = "distortion";
export const LATER = "later";
const OWN = [NONE, DISTORTION, LATER];
const USUAL = ["metadata.label", "metadata.class", "metadata.category"];

/** The fields of the metadata. */
export const fields = computed(() => {
  const { fields = {}, indexes = {} } = described.value ?? {};
  return [...new Set([...Object.keys(fields), ...Object.keys(indexes)])].sort();
});

/** What one can colour by, and how it is called. */
export const colours = computed<(readonly [value: string, label: string])[]>(() => [
  ...(clusterings.value ?? []).map(({ name }) => [`clusters.${name}`, `Clusters: ${name}`] as const),
  ...fields.value.map((field) => [field, fieldName(field)] as const),
  [DISTORTION, "Distortion: where not to trust it"],
  [LATER, "Added since it was made"],
  [NONE, "One colour"],
]);

/** What it is coloured by: as the address says, else the newest clustering; undefined until that is known. */
export const colour = computed<string | undefined>(() => {
  const asked = route.value.params["color"];
  if (asked !== undefined) return asked;
  if (clusterings.value === undefined && clusterings.loading) return undefined;
  const newest = clusterings.value?.toSorted((a, b) => b.created_at.localeCompare(a.created_at))[0];
  if (newest) return `clusters.${newest.name}`;
  return USUAL.find((one) => fields.value.includes(one)) ?? DISTORTION;
});

/** The field that must come with the points; undefined where the colour needs none. */
export const field = computed(() => (colour.value === undefined || OWN.includes(colour.value) ? undefined : colour.value));

/** The group that alone is lit up, by its name in the legend. */
export const only = computed(() => route.value.params["only"]);

/** The group that the pointer is on in the legend, by its colour's code. */
export const pointed = signal<number | undefined>(undefined);

/** Whether images show themselves where there is room. */
export const thumbnails = signal(true);
