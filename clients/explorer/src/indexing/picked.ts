// What was dropped or chosen: pictures in folders and zip archives, and what is none.

import { type Archive, openArchive } from "./archive.ts";

/** A picture that is not read yet. */
export interface Picked {
  /** Under which it is stored: as the command line would have it. */
  id: string;
  /** Where it lies, for people. */
  source: string;
  /** Its place below what was dropped, without its name; empty at the top. */
  folder: string;
  size: number;
  read: () => Promise<Blob>;
}

/** All that was found, and why some could not be had. */
export interface Found {
  /** A name for a collection of these. */
  name: string;
  pictures: Picked[];
  /** How many files are no pictures. */
  others: number;
  failures: Failure[];
}

/** A file that could not be indexed, and why. */
export interface Failure {
  path: string;
  code: string;
  detail: string;
}

const SUFFIXES = /\.(bmp|gif|jfif|jpe|jpe?g|png|tiff?|webp)$/i;
const LONGEST_ID = 512;

interface Loose {
  path: string;
  file: File;
}

/** Files of a drop; folders are gone through. To be called in the event itself, as the browser forgets it. */
export function dropped(transfer: DataTransfer): Promise<Found> {
  const entries = [...transfer.items].flatMap((item) => {
    const entry = item.kind === "file" ? item.webkitGetAsEntry() : null;
    return entry ? [entry] : [];
  });
  return sort(Promise.all(entries.map(walk)).then((all) => all.flat()));
}

/** Files of a field, whose paths the browser gives where a folder was chosen. */
export function chosen(files: FileList): Promise<Found> {
  return sort(Promise.resolve([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))));
}

async function walk(entry: FileSystemEntry): Promise<Loose[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) break; // a browser gives a hundred at a time
    inside.push(...some);
  }
  return (await Promise.all(inside.map(walk))).flat();
}

async function sort(loose: Promise<Loose[]>): Promise<Found> {
  const files = (await loose).toSorted((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  const top = commonTop(files.map(({ path }) => path));
  const found: Found = { name: nameFor(top ?? files[0]?.path ?? ""), pictures: [], others: 0, failures: [] };
  for (const { path, file } of files) {
    if (isHidden(path)) found.others++;
    else if (/\.zip$/i.test(path)) await unpack(path, file, found);
    else if (!SUFFIXES.test(path)) found.others++;
    else {
      const inner = top === undefined ? path : path.slice(top.length + 1);
      take(found, { id: inner, source: path, folder: parent(inner), size: file.size, read: () => Promise.resolve(file) });
    }
  }
  return found;
}

async function unpack(path: string, file: File, found: Found): Promise<void> {
  const stem = path.replace(/^.*\//, "").replace(/\.zip$/i, "");
  let archive: Archive;
  try {
    archive = await openArchive(file);
  } catch (error) {
    found.failures.push({ path, code: "unreadable_source", detail: `The archive cannot be read: ${said(error)}` });
    return;
  }
  for (const { path: inner, size, read } of archive) {
    if (isHidden(inner) || !SUFFIXES.test(inner)) found.others++;
    else take(found, { id: `${stem}/${inner}`, source: `${path}/${inner}`, folder: parent(inner), size, read });
  }
}

function take(found: Found, picture: Picked): void {
  if (picture.id.length <= LONGEST_ID) found.pictures.push(picture);
  else found.failures.push({ path: picture.source, code: "invalid_field", detail: `Its path is longer than ${LONGEST_ID} characters.` });
}

/** The folder that all lie in, if it is one. */
function commonTop(paths: readonly string[]): string | undefined {
  const tops = new Set(paths.map((path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : undefined)));
  return tops.size === 1 ? [...tops][0] : undefined;
}

function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");
}

function parent(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

/** What of a folder's or file's name can name a collection. */
export function nameFor(path: string): string {
  const stem = path.replace(/^.*\//, "").replace(/\.[a-z]+$/i, "");
  return stem.normalize("NFKD").replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 63) || "pictures";
}

export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
