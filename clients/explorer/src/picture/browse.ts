import { signal } from "@preact/signals";
import type { Filter, IndexedImage } from "lookalike-client";
import { useEffect, useMemo } from "preact/hooks";

import { isAbort } from "../api/advice.ts";
import { collection } from "../state/service.ts";

const STEP = 60;

/** The images of the collection that match, some at a time. */
export class Browse {
  readonly #images = signal<readonly IndexedImage[]>([]);
  readonly #error = signal<unknown>(undefined);
  readonly #state = signal<"loading" | "more" | "all">("more");
  readonly #ended = new AbortController();
  readonly #source: AsyncGenerator<IndexedImage, void> | undefined;

  constructor(filter: Filter | undefined) {
    this.#source = collection.peek()?.images(filter, { signal: this.#ended.signal });
    void this.more();
  }

  get images(): readonly IndexedImage[] {
    return this.#images.value;
  }

  get error(): unknown {
    return this.#error.value;
  }

  /** `more`: there may be more than those at hand. */
  get state(): "loading" | "more" | "all" {
    return this.#state.value;
  }

  /** Fetch some more. */
  async more(): Promise<void> {
    if (!this.#source || this.#state.peek() !== "more") return;
    this.#state.value = "loading";
    const fetched: IndexedImage[] = [];
    try {
      while (fetched.length < STEP) {
        const { value, done } = await this.#source.next();
        if (done) break;
        fetched.push(value);
      }
    } catch (error) {
      if (!isAbort(error)) this.#error.value = error; // a generator that threw is at its end
      fetched.length = 0;
    }
    if (this.#ended.signal.aborted) return;
    this.#images.value = [...this.#images.peek(), ...fetched];
    this.#state.value = fetched.length < STEP ? "all" : "more";
  }

  stop(): void {
    this.#ended.abort(new DOMException("no longer needed", "AbortError"));
  }
}

/** Browse as long as the component lives, anew with another filter, collection or key. */
export function useBrowse(filter: Filter | undefined): Browse {
  const browse = useMemo(() => new Browse(filter), [JSON.stringify(filter), collection.value]);
  useEffect(() => () => browse.stop(), [browse]);
  return browse;
}
