// Sending pictures to the service: several batches at once, with pause and cancel. It goes on in other rooms.

import { computed, signal } from "@preact/signals";
import { type Collection, type IndexResult, LookalikeError } from "lookalike-client";

import { changed } from "../state/service.ts";
import { batches, placeMetadata } from "./batches.ts";
import { type Failure, type Picked, said } from "./picked.ts";

const AT_ONCE = 3;
const LATEST = 12;

export type Phase = "running" | "paused" | "ended" | "cancelled";

/** The upload that is on, or the last one; one at a time. */
export const upload = signal<Upload | undefined>(undefined);
export const uploading = computed(() => ["running", "paused"].includes(upload.value?.phase.value ?? "ended"));

/** Pictures on their way into a collection. */
export class Upload {
  readonly phase = signal<Phase>("running");
  readonly done = signal(0);
  readonly created = signal(0);
  readonly updated = signal(0);
  readonly unchanged = signal(0);
  readonly failures = signal<readonly Failure[]>([]);
  /** Those that came last. */
  readonly latest = signal<readonly { id: string; blob: Blob }[]>([]);
  /** What made it pause by itself. */
  readonly trouble = signal<unknown>(undefined);
  readonly #ended = new AbortController();
  readonly #waiting: Picked[][];
  #activeMs = 0;
  #since: number | undefined;
  #running = 0;

  constructor(
    readonly collection: Collection,
    readonly pictures: readonly Picked[],
    /** Whether folders become metadata. */
    readonly labelled: boolean,
    failures: readonly Failure[],
  ) {
    this.failures.value = failures;
    this.#waiting = batches(pictures);
    this.resume();
  }

  get total(): number {
    return this.pictures.length;
  }

  /** Seconds that it has been sending. */
  get seconds(): number {
    return (this.#activeMs + (this.#since === undefined ? 0 : performance.now() - this.#since)) / 1000;
  }

  resume(): void {
    this.trouble.value = undefined;
    this.phase.value = "running";
    this.#since ??= performance.now();
    while (this.#running < AT_ONCE && this.#waiting.length > 0) void this.#work();
    this.#settle();
  }

  /** What is under way is finished, and nothing more begun. */
  pause(): void {
    if (this.phase.peek() !== "running") return;
    this.phase.value = "paused";
    this.#stopClock();
  }

  /** End it; what is stored stays. */
  cancel(): void {
    this.phase.value = "cancelled";
    this.#stopClock();
    this.#ended.abort(new DOMException("cancelled", "AbortError"));
    changed();
  }

  async #work(): Promise<void> {
    this.#running++;
    while (this.phase.peek() === "running") {
      const batch = this.#waiting.shift();
      if (!batch) break;
      try {
        await this.#send(batch);
      } catch (error) {
        if (this.#ended.signal.aborted) break;
        this.#waiting.unshift(batch); // sent again, what is stored already is found unchanged
        this.pause();
        this.trouble.value = error;
      }
    }
    this.#running--;
    this.#settle();
  }

  #settle(): void {
    if (this.phase.peek() !== "running" || this.#running > 0 || this.#waiting.length > 0) return;
    this.phase.value = "ended";
    this.#stopClock();
    changed();
  }

  #stopClock(): void {
    if (this.#since !== undefined) this.#activeMs += performance.now() - this.#since;
    this.#since = undefined;
  }

  async #send(batch: readonly Picked[]): Promise<void> {
    const read = await Promise.all(batch.map(async (picture) => ({ picture, blob: await readOne(picture) })));
    const good = read.filter((one): one is { picture: Picked; blob: Blob } => one.blob instanceof Blob);
    const unreadable = read.flatMap(({ picture, blob }) =>
      blob instanceof Blob ? [] : [{ path: picture.source, code: "unreadable_file", detail: blob.message }],
    );
    if (good.length > 0) await this.#store(good);
    if (unreadable.length > 0) this.#fail(unreadable);
  }

  async #store(good: readonly { picture: Picked; blob: Blob }[]): Promise<void> {
    const pictures = good.map(({ picture }) => picture);
    let result: IndexResult;
    try {
      result = await this.collection.add(
        good.map(({ blob }) => blob),
        {
          ids: pictures.map(({ id }) => id),
          sources: pictures.map(({ source }) => source),
          ...(this.labelled ? { metadata: pictures.map(placeMetadata) } : {}),
        },
        { signal: this.#ended.signal },
      );
    } catch (error) {
      if (!isTheirs(error)) throw error;
      // The service refused all for one of them: sent singly, each is told why.
      if (good.length > 1) this.#waiting.unshift(...pictures.map((one) => [one]));
      else this.#fail([{ path: pictures[0]!.source, code: error.code, detail: error.detail }]);
      return;
    }
    this.#count(result, good);
  }

  #count(result: IndexResult, sent: readonly { picture: Picked; blob: Blob }[]): void {
    this.created.value += result.created;
    this.updated.value += result.updated;
    this.unchanged.value += result.unchanged;
    const stored = result.items.flatMap(({ index, id }) => (id == null ? [] : [{ id, blob: sent[index]!.blob }]));
    this.latest.value = [...this.latest.peek(), ...stored].slice(-LATEST);
    this.done.value += stored.length;
    this.#fail(
      result.items.flatMap(({ index, error }) =>
        error ? [{ path: sent[index]!.picture.source, code: error.code, detail: error.detail }] : [],
      ),
    );
  }

  #fail(failures: readonly Failure[]): void {
    if (failures.length === 0) return;
    this.failures.value = [...this.failures.peek(), ...failures];
    this.done.value += failures.length;
  }
}

async function readOne(picture: Picked): Promise<Blob | Error> {
  try {
    return await picture.read();
  } catch (error) {
    return error instanceof Error ? error : new Error(said(error));
  }
}

/** Whether the fault is in what was sent, and not in the connection, the key or the service. */
function isTheirs(error: unknown): error is LookalikeError {
  if (!(error instanceof LookalikeError) || error.status === undefined) return false;
  return [400, 413, 415, 422].includes(error.status);
}

// A page that is closed takes the rest of the pictures with it.
globalThis.addEventListener?.("beforeunload", (event) => {
  if (uploading.peek()) event.preventDefault();
});
