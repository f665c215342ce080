import type { Job } from "./job.js";
import { Runs } from "./runs.js";
import type { CallOptions } from "./transport.js";
import type {
  ComparedImages, Comparison, ComparisonRequest, Counterparts, CounterpartsOptions, DeletionPlan, DuplicateGroups,
  DuplicateGroupsOptions, Duplicates, DuplicatesRequest, Leakage, LeakageOptions, PlanOptions,
} from "./types.js";

type Kinds = DeletionPlan["kinds"];

/** Comparisons of two sets of a collection's images, and its duplicates. */
export class Comparing extends Runs {
  /**
   * Start measuring how different two sets of images are; an older comparison of the name is replaced. Rejects
   * with UnknownCollection, InvalidParameters, SpaceMismatch for collections of different encoders.
   */
  compare(body: ComparisonRequest, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/compare", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** All comparisons. Rejects with UnknownCollection. */
  async comparisons(options: CallOptions = {}): Promise<Comparison[]> {
    const { comparisons } = await this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/comparisons", { params: { path: this.path }, signal }),
    );
    return comparisons;
  }

  /** One comparison with its figures and clusters. Rejects with UnknownComparison. */
  comparison(name = "comparison", options: CallOptions = {}): Promise<Comparison> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/comparisons/{name}", { params, signal }),
    );
  }

  /** The report as one HTML page with pictures in it. Rejects with UnknownComparison. */
  comparisonPage(name = "comparison", options: CallOptions = {}): Promise<string> {
    const params = { path: { ...this.path, name } };
    const init = { params, headers: { Accept: "text/html" }, parseAs: "text" } as const;
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/comparisons/{name}", { ...init, signal }),
    );
  }

  /** The images of one set, each with the nearest of the other. Rejects with UnknownComparison. */
  counterparts(
    name = "comparison",
    query: CounterpartsOptions = {},
    options: CallOptions = {},
  ): Promise<Counterparts> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/comparisons/{name}/counterparts", { params, signal }),
    );
  }

  /** The images of each set that are least like the other, with heat maps of what makes them so. */
  comparisonMaps(
    name = "comparison",
    query: { limit?: number } = {},
    options: CallOptions = {},
  ): Promise<ComparedImages> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/comparisons/{name}/maps", { params, signal }),
    );
  }

  /** Delete a comparison. Rejects with UnknownComparison. */
  async deleteComparison(name = "comparison", options: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, name } };
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/comparisons/{name}", { params, signal }),
    );
  }

  /**
   * Start grouping images of one picture; a run of the same name and criteria is gone on from. Rejects with
   * UnknownCollection, InvalidParameters.
   */
  findDuplicates(body: DuplicatesRequest = {}, options: CallOptions = {}): Promise<Job> {
    return this.start(options, (http, signal) =>
      http.POST("/v1/collections/{collection}/duplicates", {
        params: { path: this.path }, body, signal,
      }),
    );
  }

  /** All searches for duplicates. Rejects with UnknownCollection. */
  async duplicateRuns(options: CallOptions = {}): Promise<Duplicates[]> {
    const { duplicates } = await this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates", { params: { path: this.path }, signal }),
    );
    return duplicates;
  }

  /** What one search found: how many groups, and duplicates of each kind. Rejects with UnknownDuplicates. */
  duplicates(name = "duplicates", options: CallOptions = {}): Promise<Duplicates> {
    const params = { path: { ...this.path, name } };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates/{name}", { params, signal }),
    );
  }

  /** A page of groups, the largest first, each with the image to keep. Rejects with UnknownDuplicates. */
  duplicateGroups(
    name = "duplicates",
    query: DuplicateGroupsOptions = {},
    options: CallOptions = {},
  ): Promise<DuplicateGroups> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates/{name}/groups", { params, signal }),
    );
  }

  /** Which values of a field, such as "metadata.split", share pictures. Rejects with UnknownDuplicates. */
  leakage(
    query: LeakageOptions,
    name = "duplicates",
    options: CallOptions = {},
  ): Promise<Leakage> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates/{name}/leakage", { params, signal }),
    );
  }

  /** What deleting duplicates would do; nothing is deleted. Rejects with UnknownDuplicates. */
  deletionPlan(
    name = "duplicates",
    query: PlanOptions = {},
    options: CallOptions = {},
  ): Promise<DeletionPlan> {
    const params = { path: { ...this.path, name }, query };
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates/{name}/plan", { params, signal }),
    );
  }

  /** The same as CSV: every image of the collection with `keep` or `delete`. */
  deletionList(
    name = "duplicates",
    query: { kinds?: Kinds } = {},
    options: CallOptions = {},
  ): Promise<string> {
    const params = { path: { ...this.path, name }, query };
    const init = { params, headers: { Accept: "text/csv" }, parseAs: "text" } as const;
    return this.transport.send("always", options, (http, signal) =>
      http.GET("/v1/collections/{collection}/duplicates/{name}/plan", { ...init, signal }),
    );
  }

  /**
   * Delete what the plan of this token says; how many there were. Images replaced since are spared. Rejects with
   * Conflict if that is no longer the plan.
   */
  async deleteDuplicates(
    body: { token: string; kinds?: Kinds },
    name = "duplicates",
    options: CallOptions = {},
  ): Promise<number> {
    const init = { params: { path: { ...this.path, name } }, body };
    const { deleted } = await this.transport.send("unlessReceived", options, (http, signal) =>
      http.POST("/v1/collections/{collection}/duplicates/{name}/apply", { ...init, signal }),
    );
    return deleted;
  }

  /** Forget a search for duplicates; the images stay. Rejects with UnknownDuplicates. */
  async forgetDuplicates(name = "duplicates", options: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, name } };
    await this.transport.send("unlessReceived", options, (http, signal) =>
      http.DELETE("/v1/collections/{collection}/duplicates/{name}", { params, signal }),
    );
  }
}
