// Pictures that are fetched once, a few at a time, the last ones kept with an address as long as one is needed.

interface Entry {
  blob: Promise<Blob>;
  url?: string;
  users: number;
}

/** Keeps up to `kept` blobs; those whose address is in use are never given up. */
export class BlobCache {
  readonly #entries = new Map<string, Entry>(); // in order of use, the oldest first
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(
    private readonly kept: number,
    atOnce: number,
  ) {
    this.#free = atOnce;
  }

  /** The blob of a name; `load` is called if it is not at hand. */
  get(name: string, load: () => Promise<Blob>): Promise<Blob> {
    return this.#use(name, load).blob;
  }

  /** An address of the blob, until `release` is called as often as this was. */
  async acquire(name: string, load: () => Promise<Blob>): Promise<string> {
    const entry = this.#use(name, load);
    entry.users++;
    try {
      const blob = await entry.blob;
      return (entry.url ??= URL.createObjectURL(blob));
    } catch (error) {
      entry.users--;
      throw error;
    }
  }

  release(name: string): void {
    const entry = this.#entries.get(name);
    if (entry && entry.users > 0) entry.users--;
    this.#trim();
  }

  /** Forget all, also what is in use. */
  clear(): void {
    for (const name of [...this.#entries.keys()]) this.#drop(name);
  }

  #use(name: string, load: () => Promise<Blob>): Entry {
    const known = this.#entries.get(name);
    const entry = known ?? { blob: this.#inTurn(load), users: 0 };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (!known) {
      // The next one to ask for what failed tries again.
      entry.blob.catch(() => this.#entries.get(name) === entry && this.#entries.delete(name));
      this.#trim();
    }
    return entry;
  }

  /** A free place is handed on, never counted twice; what was asked for last comes first, as it is in view. */
  async #inTurn(load: () => Promise<Blob>): Promise<Blob> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await load();
    } finally {
      const next = this.#waiting.pop();
      if (next) next();
      else this.#free++;
    }
  }

  #trim(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#entries.size <= this.kept) return;
      if (entry.users === 0) this.#drop(name);
    }
  }

  #drop(name: string): void {
    const url = this.#entries.get(name)?.url;
    this.#entries.delete(name);
    if (url !== undefined) URL.revokeObjectURL(url);
  }
}
