// Something that is fetched, again whenever a signal that the fetching reads changes.

import { effect, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

interface State<T> {
  value?: T | undefined;
  error?: unknown;
  loading: boolean;
}

/** Begins to fetch; undefined where there is nothing to fetch, such as without a collection. */
export type Load<T> = (signal: AbortSignal) => Promise<T> | undefined;

/** What was fetched; reading its parts in a component or an effect subscribes to it. */
export class Resource<T> {
  readonly #state = signal<State<T>>({ loading: true });
  readonly #round = signal(0);
  readonly #stop: () => void;

  constructor(load: Load<T>) {
    this.#stop = effect(() => {
      void this.#round.value;
      const ended = new AbortController();
      const begun = load(ended.signal);
      if (begun === undefined) this.#state.value = { loading: false };
      else {
        this.#state.value = { value: this.#state.peek().value, loading: true };
        begun.then(
          (value) => ended.signal.aborted || (this.#state.value = { value, loading: false }),
          (error) => ended.signal.aborted || (this.#state.value = { error, loading: false }),
        );
      }
      return () => ended.abort(new DOMException("no longer needed", "AbortError"));
    });
  }

  /** The last answer; while it is fetched anew the one before. */
  get value(): T | undefined {
    return this.#state.value.value;
  }

  /** Why there is none; undefined if nothing failed. */
  get error(): unknown {
    return this.#state.value.error;
  }

  get loading(): boolean {
    return this.#state.value.loading;
  }

  /** Fetch it again. */
  reload(): void {
    this.#round.value = this.#round.peek() + 1;
  }

  /** Put in place what is known without asking, as after a change that was made here. */
  set(value: T): void {
    this.#state.value = { value, loading: false };
  }

  /** Stop following; what is under way is aborted. */
  dispose(): void {
    this.#stop();
  }
}

/** A resource that lives as long as the component, made anew when `needs` change. */
export function useResource<T>(load: Load<T>, needs: readonly unknown[]): Resource<T> {
  const resource = useMemo(() => new Resource(load), needs);
  useEffect(() => () => resource.dispose(), [resource]);
  return resource;
}
