import { Collection } from "./collection.js";
import { type ImageInput, form } from "./images.js";
import { Job } from "./job.js";
import { onlyFailed } from "./items.js";
import { type CallOptions, type LookalikeOptions, Transport } from "./transport.js";
import type {
  Algorithm, CollectionInfo, CollectionRequest, EmbedOptions, Embeddings, ExplainOptions, Explanation, Info,
  JobsOptions, JobStatus, Model, Readiness,
} from "./types.js";

/** A client of one service. */
export class Lookalike {
  readonly #transport: Transport;

  /** Throws InvalidInput if the URL is none of http. */
  constructor(options: LookalikeOptions = {}) {
    this.#transport = new Transport(options);
  }

  /** The service's address. */
  get url(): string {
    return this.#transport.url;
  }

  /** Version, default encoder, device, dtype and store. */
  info(options: CallOptions = {}): Promise<Info> {
    return this.#transport.send("always", options, (http, signal) => http.GET("/v1/info", { signal }));
  }

  /** The encoders that are served, and those that could be. */
  async models(options: CallOptions = {}): Promise<Model[]> {
    const { models } = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/models", { signal }),
    );
    return models as Model[]; // openapi-fetch takes the pair `input_size` for a list
  }

  /** The clustering algorithms, with their parameters, defaults and what they mean. */
  async algorithms(options: CallOptions = {}): Promise<Algorithm[]> {
    const { algorithms } = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/algorithms", { signal }),
    );
    return algorithms;
  }

  /** Ask whether a canary image embeds and the store answers. Rejects with NotReady if not, at once. */
  ready(options: CallOptions = {}): Promise<Readiness> {
    return this.#transport.send("never", options, (http, signal) => http.GET("/readyz", { signal }));
  }

  /**
   * Embed images, in order; `explain`, such as "self", adds a map of that target to each. An image that
   * cannot be used has `error` in its item, also when it is the only one.
   */
  async embed(
    images: readonly ImageInput[],
    query: EmbedOptions = {},
    options: CallOptions = {},
  ): Promise<Pick<Embeddings, "items"> & Partial<Embeddings>> {
    const parts = await this.#transport.read(images, options);
    const call = this.#transport.send("always", options, (http, signal) =>
      http.POST("/v1/embed", { params: { query }, body: form({ images: parts }), signal }),
    );
    return call.catch(onlyFailed(parts, (error) => ({ items: [{ index: 0, error }] })));
  }

  /** Embed texts, in order, into the space of an encoder that embeds text too; rejects with UnsupportedText. */
  embedTexts(
    texts: readonly string[],
    query: Pick<EmbedOptions, "model"> = {},
    options: CallOptions = {},
  ): Promise<Embeddings> {
    return this.#transport.send("always", options, (http, signal) =>
      http.POST("/v1/embed", { params: { query }, body: { texts: [...texts] }, signal }),
    );
  }

  /**
   * Where in an image its embedding comes from, or what speaks for a target: by default `similarity` where
   * there is a `reference`, a `vector` or an `id` to compare with, else `self`.
   */
  async explain(
    image: ImageInput,
    explain: ExplainOptions = {},
    options: CallOptions = {},
  ): Promise<Explanation> {
    const { query, body } = await this.#explained(image, explain, options);
    return this.#transport.send("always", options, (http, signal) =>
      http.POST("/v1/explain", { params: { query }, body, signal }),
    );
  }

  /** The same as an overlay on the image, as PNG. */
  async explainImage(
    image: ImageInput,
    explain: ExplainOptions = {},
    options: CallOptions = {},
  ): Promise<Blob> {
    const { query, body } = await this.#explained(image, explain, options);
    const headers = { Accept: "image/png" };
    return this.#transport.send("always", options, (http, signal) =>
      http.POST("/v1/explain", { params: { query }, body, headers, parseAs: "blob", signal }),
    );
  }

  async #explained(
    image: ImageInput,
    { reference, vector, ...query }: ExplainOptions,
    options: CallOptions,
  ): Promise<{ query: Omit<ExplainOptions, "reference" | "vector">; body: never }> {
    const [of] = await this.#transport.read([image], options);
    const to = reference === undefined ? [] : await this.#transport.read([reference], options);
    return { query, body: form({ image: [of!], reference: to }, { vector }) };
  }

  /** All jobs, or those of a collection, newest first. */
  async jobs(query: JobsOptions = {}, options: CallOptions = {}): Promise<JobStatus[]> {
    const { jobs } = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/jobs", { params: { query }, signal }),
    );
    return jobs;
  }

  /** A job, to look at, wait for or cancel. Rejects with UnknownJob. */
  async job(id: string, options: CallOptions = {}): Promise<Job> {
    const status = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/jobs/{id}", { params: { path: { id } }, signal }),
    );
    return new Job(this.#transport, status);
  }

  /** All collections. */
  async collections(options: CallOptions = {}): Promise<CollectionInfo[]> {
    const { collections } = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections", { signal }),
    );
    return collections;
  }

  /** A handle on a collection; nothing is sent, and it need not exist yet. */
  collection(name: string): Collection {
    return new Collection(this.#transport, name);
  }

  /**
   * Create a collection; one that exists with the same settings is left as it is. Rejects with
   * CollectionExists if it has others, UnknownModel, InvalidField.
   */
  async createCollection(
    name: string,
    body: CollectionRequest = {},
    options: CallOptions = {},
  ): Promise<Collection> {
    const params = { path: { collection: name } };
    await this.#transport.send("always", options, (http, signal) =>
      http.PUT("/v1/collections/{collection}", { params, body, signal }),
    );
    return this.collection(name);
  }

  /** Drop a collection with all its images. Rejects with UnknownCollection. */
  async deleteCollection(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { collection: name } };
    await this.#transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}", { params, signal }),
    );
  }
}
