// How a call is carried out: typed by the OpenAPI document, timed, tried again where that is safe.

import createClient, { type Client } from "openapi-fetch";

import { ConnectionFailed, InvalidInput, LookalikeError, TimedOut, UnexpectedAnswer } from "./errors.js";
import { type ImageInput, type ImagePart, readImage } from "./images.js";
import { errorIn } from "./problems.js";
import { type Repeat, pause, sleep } from "./retrying.js";
import type { paths } from "./schema.js";

/** How to reach the service. */
export interface LookalikeOptions {
  /** Where the service answers; by default http://127.0.0.1:3000. */
  url?: string;
  /** Sent as a bearer token. */
  apiKey?: string;
  /** Replaces the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** Seconds for one attempt of a call, from sending it to the end of its answer; by default 60. */
  timeout?: number;
  /** How often a call is tried again after 429 or 503 and when the connection fails; by default 4. */
  retries?: number;
  /** Whether somebody waits for the images of these calls; by default the service goes by the call. */
  priority?: "interactive" | "bulk";
  /** For how many seconds an answer is of use: an image whose turn does not come in time is refused. */
  deadline?: number;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

export type Http = Client<paths, "application/json">;

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The headers of every call. */
function sentAlways({ apiKey, priority, deadline }: LookalikeOptions): Record<string, string> {
  return {
    ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }),
    ...(priority === undefined ? {} : { "X-Priority": priority }),
    ...(deadline === undefined ? {} : { "X-Deadline-Seconds": String(deadline) }),
  };
}

/** Sends calls to one service. */
export class Transport {
  readonly url: string;
  readonly #fetch: typeof globalThis.fetch;
  readonly #http: Http;
  readonly #timeout: number;
  readonly #retries: number;

  constructor(options: LookalikeOptions) {
    this.url = options.url ?? "http://127.0.0.1:3000";
    if (!/^https?:\/\//.test(this.url)) {
      throw new InvalidInput(`The service's URL must begin with http:// or https://: ${this.url}`);
    }
    // Browsers refuse a fetch that is called as a method of anything but the window.
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#timeout = options.timeout ?? 60;
    this.#retries = options.retries ?? 4;
    this.#http = createClient<paths, "application/json">({
      baseUrl: this.url,
      fetch: this.#fetch,
      headers: sentAlways(options),
      pathSerializer: fillPath,
    });
  }

  /** Images, ready to send. Rejects with InvalidInput or DownloadFailed. */
  async read(images: readonly ImageInput[], { signal }: CallOptions): Promise<ImagePart[]> {
    if (images.length === 0) throw new InvalidInput("No images: give at least one.");
    const { any } = this.#limits(signal);
    try {
      return await Promise.all(images.map((image) => readImage(image, this.#fetch, any)));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** Carry out a call; rejects with a LookalikeError, or with the reason of an aborted signal. */
  async send<T>(
    repeat: Repeat,
    { signal }: CallOptions,
    call: (http: Http, signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const result = await this.#attempt(signal, call);
      if (!(result instanceof LookalikeError)) return result.data as T;
      const seconds = pause(repeat, result, attempt, this.#retries);
      if (seconds === undefined) throw result;
      await sleep(seconds, signal);
    }
  }

  async #attempt<T>(
    signal: AbortSignal | undefined,
    call: (http: Http, signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T> | LookalikeError> {
    signal?.throwIfAborted();
    const { late, any } = this.#limits(signal);
    try {
      const answer = await call(this.#http, any);
      return answer.response.ok ? answer : errorIn(answer.response, answer.error);
    } catch (error) {
      signal?.throwIfAborted();
      if (late.aborted) return new TimedOut(`No answer from ${this.url} in ${this.#timeout} s.`);
      return this.#failure(error);
    }
  }

  #limits(signal: AbortSignal | undefined): { late: AbortSignal; any: AbortSignal } {
    const late = AbortSignal.timeout(this.#timeout * 1000);
    return { late, any: signal ? AbortSignal.any([signal, late]) : late };
  }

  #failure(error: unknown): LookalikeError {
    if (error instanceof LookalikeError) return error;
    if (error instanceof SyntaxError) {
      return new UnexpectedAnswer(`${this.url} answered with what is not JSON.`, error);
    }
    // `fetch` has no class of its own for a connection that fails.
    if (error instanceof TypeError) {
      const detail = `No connection to ${this.url} (${error.message}); is the service running?`;
      return new ConnectionFailed(detail, error);
    }
    throw error;
  }
}

function fillPath(path: string, values: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => segment(String(values[name])));
}

/** A name or id as one segment of a path. Throws InvalidInput where a URL cannot hold it. */
function segment(text: string): string {
  if (text === "") throw new InvalidInput("An empty name or id names nothing.");
  if (text === "." || text === "..") {
    throw new InvalidInput(`${JSON.stringify(text)} cannot stand in a URL; delete() can name it.`);
  }
  try {
    return encodeURIComponent(text);
  } catch {
    throw new InvalidInput(`${JSON.stringify(text)} holds lone surrogates, which cannot be sent.`);
  }
}
