// What only Node has: files by their path.

import { readFile } from "node:fs/promises";

/** The file at a path, to give where an image is asked for; its name is the path. */
export async function imageFile(path: string): Promise<File> {
  return new File([await readFile(path)], path);
}
