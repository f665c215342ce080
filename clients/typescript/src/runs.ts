import { form, type ImageInput } from "./images.js";
import { onlyFailed } from "./items.js";
import { Job } from "./job.js";
import type { CallOptions, Http, Transport } from "./transport.js";
import type {
  Agreement, AgreementOptions, Assignments, Calibration, ClusterCard, Clustering, ClusteringPatch,
  ClusteringRequest, ExportOptions, JobStatus, Lineage, Migration, MigrationRequest, Naming, NamingRequest,
  Placements, Projection, ProjectionPoints, ProjectionRequest, Training, TrainingRequest,
} from "./types.js";

const PNG = { headers: { Accept: "image/png" }, parseAs: "blob" } as const;
const SVG = { headers: { Accept: "image/svg+xml" }, parseAs: "blob" } as const;
const ARROW = { headers: { Accept: "application/vnd.apache.arrow.stream" }, parseAs: "blob" } as const;

/** What is computed from a collection: clusterings, projections, calibration, trained models, migrations. */
export class Runs {
  protected readonly transport: Transport;

  constructor(
    transport: Transport,
    /** The collection's name. */
    readonly name: string,
  ) {
    this.transport = transport;
  }

  protected get path(): { collection: string } {
    return { collection: this.name };
  }

  protected async start(
    options: CallOptions,
    call: (http: Http, signal: AbortSignal) => Promise<{ data?: JobStatus; response: Response }>,
  ): Promise<Job> {
    return new Job(this.transport, await this.transport.send("unlessReceived", options, call));
  }

  /**
   * Start a clustering; `name` defaults to the algorithm and replaces an older run of that name. Rejects with
   * UnknownCollection, InvalidParameters.
   */
  cluster(body: ClusteringRequest = {}, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/clusterings", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** All clusterings. Rejects with UnknownCollection. */
  async clusterings(options: CallOptions = {}): Promise<Clustering[]> {
    const { clusterings } = await this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings", { params: { path: this.path }, signal }),
    );
    return clusterings;
  }

  /** One clustering with its sizes, medoids and diagnostics. Rejects with UnknownClustering. */
  clustering(name: string, options: CallOptions = {}): Promise<Clustering> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}", { params, signal }),
    );
  }

  /** What spoke for each `k` of a clustering whose `k` was chosen from a range, as PNG. */
  clusteringPlot(name: string, options: CallOptions = {}): Promise<Blob> {
    const init = { params: { path: { ...this.path, name } }, ...PNG };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}", { ...init, signal }),
    );
  }

  /**
   * A clustering against a metadata field, such as "metadata.label"; with `value` also the clusters that hold
   * it. Rejects with UnknownClustering, InvalidField.
   */
  agreement(name: string, query: AgreementOptions, options: CallOptions = {}): Promise<Agreement> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}/agreement", { params, signal }),
    );
  }

  /**
   * The clusters of new images, in order, with a confidence; they are not indexed. An image that cannot be used
   * has `error` in its item. Rejects with UnknownClustering.
   */
  async assign(
    name: string,
    images: readonly ImageInput[],
    options: CallOptions = {},
  ): Promise<Assignments> {
    const parts = await this.transport.read(images, options);
    const init = { params: { path: { ...this.path, name } }, body: form({ images: parts }) };
    const call = this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/clusterings/{name}/assign", { ...init, signal }),
    );
    return call.catch(onlyFailed(parts, (error) => ({ items: [{ index: 0, error }] })));
  }

  /** A cluster's medoid, spread and typical members with maps. Rejects with UnknownCluster. */
  clusterCard(
    name: string,
    label: number,
    query: { exemplars?: number } = {},
    options: CallOptions = {},
  ): Promise<ClusterCard> {
    const params = { path: { ...this.path, name, label }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}/clusters/{label}", { params, signal }),
    );
  }

  /** The card as PNG, drawn from thumbnails. */
  clusterCardImage(
    name: string,
    label: number,
    query: { exemplars?: number } = {},
    options: CallOptions = {},
  ): Promise<Blob> {
    const init = { params: { path: { ...this.path, name, label }, query }, ...PNG };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}/clusters/{label}", { ...init, signal }),
    );
  }

  /**
   * Name and describe the clusters of a clustering, by label, and the whole; null takes what was said away.
   * Rejects with UnknownCluster, UnknownClustering.
   */
  describeClusters(
    name: string,
    body: ClusteringPatch,
    options: CallOptions = {},
  ): Promise<Clustering> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.PATCH("/v1/collections/{collection}/clusterings/{name}", { params, body, signal }),
    );
  }

  /**
   * Name clusters by the words that suit each better than the others. Rejects with UnsupportedText if the
   * collection's encoder embeds no text.
   */
  nameClusters(name: string, body: NamingRequest = {}, options: CallOptions = {}): Promise<Naming> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/clusterings/{name}/names", { params, body, signal }),
    );
  }

  /** What became of a clustering's clusters in another one. Rejects with UnknownClustering, InvalidParameters. */
  lineage(name: string, later: string, options: CallOptions = {}): Promise<Lineage> {
    const params = { path: { ...this.path, name }, query: { later } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}/lineage", { params, signal }),
    );
  }

  /**
   * A clustering, or some of its clusters, as a table or as a zip of pictures; it must come within `timeout`.
   * Rejects with UnknownCluster, UnknownClustering.
   */
  export(name: string, query: ExportOptions = {}, options: CallOptions = {}): Promise<Blob> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/clusterings/{name}/export", {
        params, headers: { Accept: "*/*" }, parseAs: "blob", signal,
      }),
    );
  }

  /** Delete a clustering and its labels. Rejects with UnknownClustering. */
  async deleteClustering(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, name } };
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/clusterings/{name}", { params, signal }),
    );
  }

  /**
   * Start a projection; `name` defaults to the method and replaces an older run of that name. Rejects with
   * UnknownCollection, InvalidParameters.
   */
  project(body: ProjectionRequest = {}, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/projections", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** All projections, without their points. Rejects with UnknownCollection. */
  async projections(options: CallOptions = {}): Promise<Projection[]> {
    const { projections } = await this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/projections", { params: { path: this.path }, signal }),
    );
    return projections;
  }

  /**
   * One projection with its points; images indexed since it was made are on it too. `columns`: fields to tell
   * of each, separated by commas; `filter`: JSON, the images that match alone. Rejects with UnknownProjection,
   * InvalidField, InvalidFilter.
   */
  projection(
    name: string,
    query: { columns?: string; filter?: string } = {},
    options: CallOptions = {},
  ): Promise<ProjectionPoints> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/projections/{name}", { params, signal }),
    );
  }

  /** The same as an Arrow IPC stream. Rejects as `projection`. */
  projectionArrow(
    name: string,
    query: { columns?: string; filter?: string } = {},
    options: CallOptions = {},
  ): Promise<Blob> {
    const init = { params: { path: { ...this.path, name }, query }, ...ARROW };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/projections/{name}", { ...init, signal }),
    );
  }

  /**
   * The map as PNG or SVG, coloured by `clusters.<name>`, `metadata.<field>` or its `distortion`, or as a PNG
   * made of `thumbnails`. Rejects with UnknownProjection, InvalidField.
   */
  projectionImage(
    name: string,
    { format = "png", ...query }: { color?: string; thumbnails?: boolean; format?: "png" | "svg" } = {},
    options: CallOptions = {},
  ): Promise<Blob> {
    const init = { params: { path: { ...this.path, name }, query }, ...(format === "svg" ? SVG : PNG) };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/projections/{name}", { ...init, signal }),
    );
  }

  /** Delete a projection. Rejects with UnknownProjection. */
  async deleteProjection(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, name } };
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/projections/{name}", { params, signal }),
    );
  }

  /**
   * Where new images fall on a projection, in order; they are not indexed. An image that cannot be used has
   * `error` in its item. Rejects with UnknownProjection.
   */
  async place(
    name: string,
    images: readonly ImageInput[],
    options: CallOptions = {},
  ): Promise<Placements> {
    const parts = await this.transport.read(images, options);
    const init = { params: { path: { ...this.path, name } }, body: form({ images: parts }) };
    const call = this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/projections/{name}/transform", { ...init, signal }),
    );
    return call.catch(onlyFailed(parts, (error) => ({ items: [{ index: 0, error }] })));
  }

  /** Start measuring how alike unrelated images are; from then on each hit says what its score means. */
  calibrate(body: { seed?: number } = {}, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/calibration", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** What the collection's scores mean. Rejects with UnknownCalibration. */
  calibration(options: CallOptions = {}): Promise<Calibration> {
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/calibration", { params: { path: this.path }, signal }),
    );
  }

  /**
   * Start training an autoencoder on the pictures, or a projection head on their labels; `name` must be free.
   * Rejects with TrainingExists, InvalidParameters.
   */
  train(body: TrainingRequest, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/trainings", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** All models trained on the collection. Rejects with UnknownCollection. */
  async trainings(options: CallOptions = {}): Promise<Training[]> {
    const { trainings } = await this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/trainings", { params: { path: this.path }, signal }),
    );
    return trainings;
  }

  /** One trained model; `model` is its encoder spec. Rejects with UnknownTraining. */
  training(name: string, options: CallOptions = {}): Promise<Training> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/trainings/{name}", { params, signal }),
    );
  }

  /** Held-out pictures above what an autoencoder made of them, as PNG. Rejects with UnknownTraining. */
  trainingImage(name: string, options: CallOptions = {}): Promise<Blob> {
    const init = { params: { path: { ...this.path, name } }, ...PNG };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/trainings/{name}", { ...init, signal }),
    );
  }

  /** Delete a trained model. Rejects with UnknownTraining, and Conflict while a collection is made with it. */
  async deleteTraining(name: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, name } };
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/trainings/{name}", { params, signal }),
    );
  }

  /**
   * Start embedding the collection anew with another encoder, or go on with it; it answers as before meanwhile.
   * Rejects with UnknownModel, MigrationExists, InvalidField if it is of that encoder already.
   */
  migrate(body: MigrationRequest, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/migration", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** Where the migration stands, with its report. Rejects with UnknownMigration. */
  migration(options: CallOptions = {}): Promise<Migration> {
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/migration", { params: { path: this.path }, signal }),
    );
  }

  /** Let the new encoder answer from now on; `rollBack` undoes it. Rejects with MigrationNotReady. */
  cutOver(body: { allow_missing?: boolean } = {}, options: CallOptions = {}): Promise<Migration> {
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/migration/cutover", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** Let the former encoder answer again. Rejects with MigrationNotReady once finished. */
  rollBack(options: CallOptions = {}): Promise<Migration> {
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/migration/rollback", {
        params: { path: this.path }, signal,
      }),
    );
  }

  /** Drop the former vectors; there is no way back. Rejects with MigrationNotReady. */
  finishMigration(options: CallOptions = {}): Promise<Migration> {
    return this.transport.send("always", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/migration/finish", {
        params: { path: this.path }, signal,
      }),
    );
  }

  /** Give a migration up: drop the new vectors. Rejects with MigrationNotReady once cut over. */
  async deleteMigration(options: CallOptions = {}): Promise<void> {
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/migration", { params: { path: this.path }, signal }),
    );
  }
}
