// How pictures are sent: some at a time, neither too many nor too large together.

import type { Picked } from "./picked.ts";

const MOST_IMAGES = 32;
const MOST_BYTES = 16 * 2 ** 20;

/** The pictures in their order, a few at a time; one that is too large by itself goes alone. */
export function batches(pictures: readonly Picked[]): Picked[][] {
  const all: Picked[][] = [];
  let bytes = Infinity;
  for (const picture of pictures) {
    if (bytes + picture.size > MOST_BYTES || all.at(-1)!.length === MOST_IMAGES) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)!.push(picture);
    bytes += picture.size;
  }
  return all;
}

/** What its place tells of a picture: `folder`, and `label`, that folder's own name. */
export function placeMetadata({ folder }: Pick<Picked, "folder">): Record<string, string> {
  return folder === "" ? {} : { folder, label: folder.slice(folder.lastIndexOf("/") + 1) };
}
