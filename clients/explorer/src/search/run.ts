// Carrying searches out: pictures and words are embedded where examples need their vectors.

import {
  type Collection, type Filter, type HitExplanation, type ImageSearch, InvalidInput, type Lookalike, type SearchRequest,
  type SearchResult,
} from "lookalike-client";

import { cropped } from "./picture.ts";
import { asked, hasMarks, options, type Query } from "./query.ts";
import { recall } from "./uploads.ts";

/** Where a search is carried out. */
export interface Place {
  client: Lookalike;
  collection: Collection;
  model: string;
}

const GONE =
  "This search is by a picture that was dropped in another browser, or too long ago to be kept. Drop it again.";

/** The search as the client takes it. Rejects with InvalidInput where the picture is gone. */
export async function request(
  place: Place,
  query: Query,
  filter: Filter | undefined,
  signal: AbortSignal,
): Promise<ImageSearch | SearchRequest> {
  const rest = options(query, filter);
  if (hasMarks(query)) return { ...asked(query, await embedding(place, query, signal)), ...rest } as SearchRequest;
  if (query.source.kind !== "upload") return { ...asked(query, undefined), ...rest } as SearchRequest;
  const { blob } = await uploaded(query.source.token);
  return { ...rest, image: blob, ...(query.region ? { region: query.region } : {}) } as ImageSearch;
}

export async function search(
  place: Place,
  query: Query,
  filter: Filter | undefined,
  signal: AbortSignal,
): Promise<SearchResult> {
  return place.collection.search(await request(place, query, filter, signal), { signal });
}

/** Why a hit is one: maps on the query and on it; `judged` tells whether they can be believed. */
export async function explain(
  place: Place,
  query: Query,
  id: string,
  judged: boolean,
  signal: AbortSignal,
): Promise<HitExplanation | undefined> {
  const alone: Query = { ...query, limit: 1, groupBy: undefined, diversity: 0, threshold: undefined };
  const body = await request(place, alone, { must: [{ has_id: [id] }] }, signal);
  const { hits } = await place.collection.search({ ...body, explain: "similarity", faithfulness: judged }, { signal });
  return hits.find((hit) => hit.id === id)?.explanation ?? undefined;
}

/** The picture of a token. Rejects with InvalidInput. */
export async function uploaded(token: string): Promise<{ blob: Blob; name: string }> {
  const found = await recall(token);
  if (!found) throw new InvalidInput(GONE);
  return found;
}

const embedded = new Map<string, Promise<number[]>>();

/** The vector of what is no indexed image; undefined for one that is, and where there are only examples. */
async function embedding(place: Place, query: Query, signal: AbortSignal): Promise<number[] | undefined> {
  const { source, region } = query;
  if (source.kind === "examples" || (source.kind === "image" && !region)) return undefined;
  const name = JSON.stringify([place.collection.name, place.model, source, region]);
  const known = embedded.get(name) ?? embed(place, query, signal);
  embedded.set(name, known);
  known.catch(() => embedded.delete(name));
  return known;
}

async function embed({ client, collection, model }: Place, query: Query, signal: AbortSignal): Promise<number[]> {
  const { source, region } = query;
  if (source.kind === "text") {
    const { items } = await client.embedTexts([source.text], { model }, { signal });
    return items[0]!.embedding!;
  }
  const whole =
    source.kind === "upload" ? (await uploaded(source.token)).blob
    : source.kind === "image" ? await collection.thumbnail(source.id, { signal })
    : undefined;
  const size = source.kind === "image" && region ? await collection.image(source.id, { signal }) : undefined;
  const image = region ? await cropped(whole!, region, size) : whole!;
  const { items } = await client.embed([image], { model }, { signal });
  const [item] = items;
  if (!item?.embedding) throw new InvalidInput(item?.error?.detail ?? "The picture could not be embedded.");
  return item.embedding;
}
