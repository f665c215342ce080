// The service: how it is reached, what runs there, and the collection that is looked at.

import { computed, effect, signal } from "@preact/signals";
import { type Clustering, type Collection, type CollectionInfo, Lookalike } from "lookalike-client";

import { Resource } from "./resource.ts";
import { route } from "./route.ts";

const STORED_KEY = "lookalike.key";

/** The API key, kept for this tab only. */
export const key = signal<string | undefined>(sessionStorage.getItem(STORED_KEY) ?? undefined);
effect(() => {
  if (key.value === undefined) sessionStorage.removeItem(STORED_KEY);
  else sessionStorage.setItem(STORED_KEY, key.value);
});

/** Whether the service asked for a key, or refused the one it was given. */
export const keyWanted = signal(false);

/** Where the service answers: beside the page. */
export const address = new URL(".", location.href).href.replace(/\/$/, "");

/** Made anew with another key, so that all that was refused is asked for again. */
export const client = computed(
  () =>
    new Lookalike({ url: address, ...(key.value === undefined ? {} : { apiKey: key.value }), fetch: watched }),
);

async function watched(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await globalThis.fetch(input, init);
  if (response.status === 401) keyWanted.value = true;
  return response;
}

export const info = new Resource((signal) => client.value.info({ signal }));
export const models = new Resource((signal) => client.value.models({ signal }));
export const collections = new Resource((signal) => client.value.collections({ signal }));

const name = computed(() => route.value.collection);

/** The collection that is looked at; undefined where none is chosen. */
export const collection = computed<Collection | undefined>(() =>
  name.value === undefined ? undefined : client.value.collection(name.value),
);

/** Its description; undefined until it is known. */
export const described = computed<CollectionInfo | undefined>(() =>
  collections.value?.find((one) => one.name === name.value),
);

/** Its clusterings, for the names of clusters. */
export const clusterings = new Resource((signal) =>
  described.value && collection.value?.clusterings({ signal }),
);

/** Whether words can be searched for in it; undefined until that is known. */
export const embedsText = computed<boolean | undefined>(() => {
  if (!models.value || !described.value) return undefined;
  return models.value.find((model) => model.model === described.value?.model)?.text ?? false;
});

/** A cluster as people call it: its name if it has one. */
export function clusterName(clustering: string, label: number): string {
  if (label === -1) return "noise";
  const run: Clustering | undefined = clusterings.value?.find((one) => one.name === clustering);
  return run?.clusters.find((one) => one.label === label)?.name ?? `cluster ${label}`;
}

/** What was indexed, deleted or labelled here: sizes and facets are asked for again. */
export function changed(): void {
  collections.reload();
  clusterings.reload();
}
