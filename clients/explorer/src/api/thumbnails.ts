// Thumbnails: fetched with the key, a few at a time, and the last ones kept.

import { client } from "../state/service.ts";
import { BlobCache } from "./blob-cache.ts";

const KEPT = 800;
const AT_ONCE = 8;

const cache = new BlobCache(KEPT, AT_ONCE);

/** The picture itself, as for a canvas or texture: a JPEG of at most 192 × 192 pixels. */
export function thumbnail(collection: string, id: string): Promise<Blob> {
  return cache.get(named(collection, id), () => load(collection, id));
}

/** An address for an <img>, until `release` is called. */
export function acquire(collection: string, id: string): Promise<string> {
  return cache.acquire(named(collection, id), () => load(collection, id));
}

/** The address is no longer shown. */
export function release(collection: string, id: string): void {
  cache.release(named(collection, id));
}

/** Another key may see other pictures. */
export function forgetThumbnails(): void {
  cache.clear();
}

function named(collection: string, id: string): string {
  return `${collection}\n${id}`;
}

function load(collection: string, id: string): Promise<Blob> {
  return client.peek().collection(collection).thumbnail(id);
}
