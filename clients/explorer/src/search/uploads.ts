// Pictures that were dropped here: kept in this browser, so that addresses with their tokens work again.

/** One of them. */
export interface Upload {
  blob: Blob;
  name: string;
}

interface Kept extends Upload {
  token: string;
  at: number;
}

const STORE = "pictures";
const KEPT = 40;

const here = new Map<string, Upload>();

/** Keep a picture; its token. */
export async function keep(blob: Blob, name: string): Promise<string> {
  const token = Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("");
  here.set(token, { blob, name });
  try {
    await written({ token, blob, name, at: Date.now() });
  } catch {
    // A browser may allow no storage, as in private windows; then it is kept until the page is closed.
  }
  return token;
}

/** The picture of a token; undefined where it was dropped in another browser, or too long ago. */
export async function recall(token: string): Promise<Upload | undefined> {
  const known = here.get(token);
  if (known) return known;
  const kept = await store("readonly", (pictures) => pictures.get(token) as IDBRequest<Kept | undefined>);
  if (kept) here.set(token, kept);
  return kept;
}

async function written(kept: Kept): Promise<void> {
  await store("readwrite", (pictures) => pictures.put(kept));
  const tokens = await store("readonly", (pictures) => pictures.index("at").getAllKeys());
  for (const old of tokens.slice(0, -KEPT)) await store("readwrite", (pictures) => pictures.delete(old));
}

async function store<T>(mode: IDBTransactionMode, call: (pictures: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open("lookalike", 1);
  opening.onupgradeneeded = () =>
    opening.result.createObjectStore(STORE, { keyPath: "token" }).createIndex("at", "at");
  const database = await done(opening);
  try {
    return await done(call(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
