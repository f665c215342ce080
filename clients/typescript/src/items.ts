// The answer for a single image that could not be used.

import type { ImagePart } from "./images.js";
import { EncoderFailed, ImageError } from "./service-errors.js";
import type { ItemError } from "./types.js";

/** Turn the error of a request's only image into the item it would be in a batch; others are thrown. */
export function onlyFailed<T>(
  parts: readonly ImagePart[],
  result: (error: ItemError) => T,
): (error: unknown) => T {
  return (error) => {
    const ofImage = error instanceof ImageError || error instanceof EncoderFailed;
    if (parts.length === 1 && ofImage) return result({ code: error.code, detail: error.detail });
    throw error;
  };
}
