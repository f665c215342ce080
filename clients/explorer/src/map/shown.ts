// What is on the map now, worked out of what the service sent.

import type { Projection } from "lookalike-client";

import { fieldName } from "../filter/conditions.ts";
import { filter } from "../filter/state.ts";
import { clusterName, collection } from "../state/service.ts";
import { type Colouring, byCluster, byField, byNumber, categories, plain } from "./colours.ts";
import { Points } from "./points.ts";
import { colour, DISTORTION, field, images, LATER, NONE, projection } from "./state.ts";

/** A map with its points, and the field that came with them. */
export interface Shown {
  projection: Projection;
  points: Points;
  colour: string;
}

/** Begin to fetch the map that is asked for, with the field that it is coloured by. */
export function load(signal: AbortSignal): Promise<Shown> | undefined {
  const wanted = projection.value;
  const by = colour.value;
  void images.value; // those that were indexed meanwhile are on it when it is read again
  if (!wanted || by === undefined) return undefined;
  const columns = field.value;
  const blob = collection.value?.projectionArrow(wanted.name, columns === undefined ? {} : { columns }, { signal });
  return blob?.then(async (arrow) => ({ projection: wanted, points: await read(arrow), colour: by }));
}

/** Begin to fetch which of its images match the shared filter; undefined without one. */
export function loadMatching(signal: AbortSignal): Promise<Points> | undefined {
  const wanted = projection.value;
  void images.value;
  if (!wanted || !filter.value) return undefined;
  return collection.value?.projectionArrow(wanted.name, { filter: JSON.stringify(filter.value) }, { signal }).then(read);
}

async function read(arrow: Blob): Promise<Points> {
  return new Points(new Uint8Array(await arrow.arrayBuffer()));
}

/** The colours of a map; follows the names of clusters. */
export function colouring({ points, colour: by }: Shown): Colouring {
  const { count } = points;
  if (by === NONE) return plain(count);
  if (by === DISTORTION) {
    return byNumber(points.distortion, { least: 0, most: 1, says: "share of its neighbours that are not near it here" });
  }
  if (by === LATER) {
    return categories(points.later, count, {
      label: (later) => (later ? "added since" : "there from the start"),
      without: "",
    });
  }
  const values = points.values(by) ?? [];
  const name = fieldName(by);
  return by.startsWith("clusters.")
    ? byCluster(values, count, (label) => clusterName(name, label))
    : byField(values, count, name);
}
