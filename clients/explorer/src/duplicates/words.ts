// What makes images duplicates, in words.

import type { DuplicateGroups } from "lookalike-client";

type Duplicate = DuplicateGroups["groups"][number]["duplicates"][number];
export type Kind = Duplicate["kind"];

export const KINDS: Record<Kind, { name: string; means: string }> = {
  exact: { name: "Exact", means: "The same bytes." },
  near: { name: "Near", means: "Saved anew, scaled, a little brighter: the embedding and the perceptual hash agree." },
  variant: { name: "Variants", means: "Mirrored or trimmed, or just very alike: the embedding agrees, the hash may not." },
};

/** Why an image is a duplicate of the one that is kept. */
export function why({ kind, cosine, bits }: Pick<Duplicate, "kind" | "cosine" | "bits">): string {
  if (kind === "exact") return "The same bytes";
  const hash = bits === null ? "no hash to compare" : `${bits} of 64 bits of the hash differ`;
  return `${kind === "near" ? "Near" : "Variant"}: cosine ${cosine.toFixed(3)}, ${hash}`;
}

const LONGEST = 22;

export interface Facts {
  width: number;
  height: number;
  format: string;
  source: string | null;
  indexedAt?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/** A line of what is known of an image. */
export interface Line {
  name: string;
  text: string;
  /** Whether the images of the group differ in it. */
  differs: boolean;
  /** Whether this is the better one, such as the larger. */
  best: boolean;
}

/** What is known of each image, line by line; what differs is told. */
export function compareFacts(all: readonly Facts[]): Line[][] {
  const most = Math.max(...all.map((one) => one.width * one.height));
  const fields = [...new Set(all.flatMap((one) => Object.keys(one.metadata ?? {})))].sort();
  const columns: { name: string; text: (one: Facts) => string; best?: (one: Facts) => boolean }[] = [
    { name: "Pixels", text: (one) => `${one.width} × ${one.height}`, best: (one) => one.width * one.height === most },
    { name: "Format", text: (one) => one.format.toUpperCase() },
    { name: "Indexed", text: (one) => (one.indexedAt ? new Date(one.indexedAt).toLocaleString() : "") },
    { name: "Source", text: (one) => ending(one.source ?? "") },
    ...fields.map((name) => ({ name, text: (one: Facts) => shown(one.metadata?.[name]) })),
  ];
  return all.map((one) =>
    columns.flatMap(({ name, text, best }): Line[] => {
      const differs = new Set(all.map(text)).size > 1;
      const value = text(one);
      return value === "" && !differs ? [] : [{ name, text: value || "–", differs, best: differs && (best?.(one) ?? false) }];
    }),
  );
}

/** The end of a path, which tells more than its beginning. */
function ending(path: string): string {
  return path.length > LONGEST ? `…${path.slice(-LONGEST)}` : path;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
