import { Comparing } from "./comparing.js";
import { form, type ImageInput } from "./images.js";
import { onlyFailed } from "./items.js";
import type { CallOptions } from "./transport.js";
import type {
  AddOptions, CollectionInfo, DeleteRequest, Facets, Filter, ImageSearch, IndexedImage, IndexResult, Region,
  SearchBatch, SearchRequest, SearchResult,
} from "./types.js";

const PAGE = 100;

/** A handle on a collection: its images, searches of them, and what is computed from them. */
export class Collection extends Comparing {
  /** Encoder, number of images and indexes. Rejects with UnknownCollection. */
  describe(options: CallOptions = {}): Promise<CollectionInfo> {
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}", { params: { path: this.path }, signal }),
    );
  }

  /**
   * Index images, in order. Repeating it changes nothing. An image that cannot be used has `error` in its item,
   * also when it is the only one. Rejects with InvalidInput, UnknownCollection, InvalidField, TooManyImages.
   */
  async add(
    images: readonly ImageInput[],
    { ids, metadata, sources }: AddOptions = {},
    options: CallOptions = {},
  ): Promise<IndexResult> {
    const parts = await this.transport.read(images, options);
    const texts = { ids, metadata, sources: sources ?? parts.map((part) => part.source) };
    const init = { params: { path: this.path }, body: form({ images: parts }, texts) };
    const call = this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/images", { ...init, signal }),
    );
    return call.catch(
      onlyFailed(parts, (error) => ({
        items: [{ index: 0, error }], created: 0, updated: 0, unchanged: 0, failed: 1,
      })),
    );
  }

  /** All images that match, fetched a page at a time. Rejects with UnknownCollection, InvalidFilter. */
  async *images(filter?: Filter, options: CallOptions = {}): AsyncGenerator<IndexedImage, void> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const query = { limit: PAGE, ...matching(filter), ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.transport.send("always", options, (http, signal) =>
        http.GET("/v1/collections/{collection}/images", { params: { path: this.path, query }, signal }),
      );
      yield* page.images;
      cursor = page.cursor;
    }
  }

  /** One image's record. Rejects with UnknownImage. */
  image(id: string, options: CallOptions = {}): Promise<IndexedImage> {
    const params = { path: { ...this.path, id } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/images/{id}", { params, signal }),
    );
  }

  /** Merge metadata into an image's; a value of null removes its key. Rejects with UnknownImage. */
  update(
    id: string,
    metadata: Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<IndexedImage> {
    const params = { path: { ...this.path, id } };
    return this.transport.send("always", options, (http, signal) =>
      http.PATCH("/v1/collections/{collection}/images/{id}", { params, body: { metadata }, signal }),
    );
  }

  /** Delete images by `ids`, or all that match a `filter`; how many there were. */
  async delete(which: DeleteRequest, options: CallOptions = {}): Promise<number> {
    const { deleted } = await this.transport.send("unlessReceived", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/images/delete", {
        params: { path: this.path }, body: which, signal,
      }),
    );
    return deleted;
  }

  /** A small JPEG of an image. Rejects with UnknownImage. */
  thumbnail(id: string, options: CallOptions = {}): Promise<Blob> {
    const params = { path: { ...this.path, id } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/images/{id}/thumbnail", {
        params, headers: { Accept: "image/*" }, parseAs: "blob", signal,
      }),
    );
  }

  /**
   * The images most like an `image`, an indexed image `id`, a `vector`, a `text`, or `positive` examples.
   * Rejects with ImageError, UnknownCollection, UnknownImage, WrongDimension, InvalidFilter, UnsupportedText.
   */
  async search(
    query: ImageSearch | SearchRequest,
    options: CallOptions = {},
  ): Promise<SearchResult> {
    if (!("image" in query)) return this.#search({ body: query }, options);
    const { image, filter, region, ...rest } = query;
    const parts = await this.transport.read([image], options);
    const search = { ...rest, ...matching(filter), ...(region ? { region: edges(region) } : {}) };
    return this.#search({ query: search, body: form({ image: parts }) }, options);
  }

  #search(
    { query, body }: { query?: Record<string, unknown>; body: SearchRequest },
    options: CallOptions,
  ): Promise<SearchResult> {
    const params = { path: this.path, ...(query ? { query } : {}) };
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/search", { params, body, signal }),
    );
  }

  /** Up to 100 searches in one call, in order, without images. One that is wrong has `error` in its item. */
  searchBatch(searches: SearchRequest[], options: CallOptions = {}): Promise<SearchBatch> {
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/search/batch", {
        params: { path: this.path }, body: { searches }, signal,
      }),
    );
  }

  /** The values of `clusters.NAME` or an indexed metadata field, with how many images hold each. */
  facets(
    field: string,
    { filter, limit }: { filter?: Filter; limit?: number } = {},
    options: CallOptions = {},
  ): Promise<Facets> {
    const query = { field, ...matching(filter), ...(limit === undefined ? {} : { limit }) };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/facets", { params: { path: this.path, query }, signal }),
    );
  }
}

function matching(filter: Filter | null | undefined): { filter?: string } {
  return filter ? { filter: JSON.stringify(filter) } : {};
}

function edges({ left, top, width, height }: Region): string {
  return [left, top, width, height].join(",");
}
