// Thumbnails: fetched with the key, a few at a time, and the last ones kept.

import { client } from "../state/service.ts";

const AT_ONCE = 8;
const KEPT = 800;

interface Entry {
  blob: Promise<Blob>;
  url?: string;
  users: number;
}

const entries = new Map<string, Entry>(); // in order of use, the oldest first
const waiting: (() => void)[] = [];
let running = 0;

/** The picture itself, as for a canvas or texture: a JPEG of at most 192 × 192 pixels. */
export function thumbnail(collection: string, id: string): Promise<Blob> {
  return use(collection, id).blob;
}

/** An address for an <img>, until `release` is called. */
export async function acquire(collection: string, id: string): Promise<string> {
  const entry = use(collection, id);
  entry.users++;
  try {
    const blob = await entry.blob;
    return (entry.url ??= URL.createObjectURL(blob));
  } catch (error) {
    entry.users--;
    throw error;
  }
}

/** The address is no longer shown. */
export function release(collection: string, id: string): void {
  const entry = entries.get(named(collection, id));
  if (entry && entry.users > 0) entry.users--;
  trim();
}

/** Another key may see other pictures. */
export function forgetThumbnails(): void {
  for (const name of [...entries.keys()]) drop(name);
}

function named(collection: string, id: string): string {
  return `${collection}\n${id}`;
}

function use(collection: string, id: string): Entry {
  const name = named(collection, id);
  const entry = entries.get(name) ?? { blob: queued(collection, id), users: 0 };
  entries.delete(name);
  entries.set(name, entry);
  entry.blob.catch(() => entries.delete(name)); // the next one to ask tries again
  trim();
  return entry;
}

async function queued(collection: string, id: string): Promise<Blob> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.unshift(go)); // what was scrolled to last, first
  running++;
  try {
    return await client.peek().collection(collection).thumbnail(id);
  } finally {
    running--;
    waiting.shift()?.();
  }
}

function trim(): void {
  for (const [name, entry] of entries) {
    if (entries.size <= KEPT) return;
    if (entry.users === 0) drop(name);
  }
}

function drop(name: string): void {
  const entry = entries.get(name);
  entries.delete(name);
  if (entry?.url !== undefined) URL.revokeObjectURL(entry.url);
}
