// Images as callers have them, into what is sent.

import { DownloadFailed, InvalidInput } from "./errors.js";

/**
 * A Blob or File, encoded bytes (also a Node Buffer), or a URL that is fetched from here: `https:`,
 * `http:`, `data:` or `blob:`. For a path in Node see `imageFile` in "lookalike-client/node".
 */
export type ImageInput = Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer> | URL | string;

/** What is sent of an image, and where it came from, if that is known. */
export interface ImagePart {
  blob: Blob;
  source: string | null;
}

const FETCHED = ["https:", "http:", "data:", "blob:"];

/** One image, ready to send. Rejects with InvalidInput or DownloadFailed. */
export async function readImage(
  image: ImageInput,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<ImagePart> {
  if (image instanceof Blob) {
    return { blob: image, source: "name" in image ? String(image.name) : null };
  }
  if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) {
    return { blob: new Blob([image]), source: null };
  }
  if (typeof image !== "string" && !(image instanceof URL)) {
    throw new InvalidInput("Not an image: give a Blob, a File, encoded bytes or a URL.");
  }
  return download(urlOf(image), fetch, signal);
}

function urlOf(image: URL | string): URL {
  const url = URL.canParse(String(image)) ? new URL(image) : undefined;
  if (!url || !FETCHED.includes(url.protocol)) {
    throw new InvalidInput(
      `${JSON.stringify(String(image).slice(0, 80))} is no URL of an image (${FETCHED.join(", ")}); ` +
        'a path in Node is read by imageFile() of "lookalike-client/node".',
    );
  }
  return url;
}

async function download(
  url: URL,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<ImagePart> {
  const shown = url.href.slice(0, 80);
  const source = url.protocol.startsWith("http") ? url.href : null;
  const failed = (error: unknown) => {
    throw new DownloadFailed(`${shown} could not be fetched.`, error);
  };
  const response = await fetch(url, { signal }).catch(failed);
  if (!response.ok) throw new DownloadFailed(`${shown} answered ${response.status}.`);
  return { blob: await response.blob().catch(failed), source };
}

/** A multipart body of files and of texts, which are JSON; what is undefined is left out. */
export function form(
  files: Record<string, readonly ImagePart[]>,
  texts: Record<string, unknown> = {},
): never {
  const data = new FormData();
  for (const [name, parts] of Object.entries(files)) {
    for (const { blob } of parts) data.append(name, blob, "image");
  }
  for (const [name, value] of Object.entries(texts)) {
    if (value !== undefined) data.append(name, JSON.stringify(value));
  }
  return data as never; // the generated types take a file for a string
}
