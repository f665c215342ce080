// What calls take and return, named; all of it comes from the OpenAPI document.

import type { ImageInput } from "./images.js";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

/** Qdrant's filter JSON over `metadata.*` and `clusters.*`. */
export type Filter = Record<string, unknown>;

export type Access = Schemas["Access"];
export type Agreement = Schemas["AgreementOut"];
export type Algorithm = Schemas["Algorithm"];
export type Assignments = Schemas["AssignResponse"];
export type Calibration = Schemas["CalibrationOut"];
export type ClusterCard = Schemas["ClusterCard"];
export type Clustering = Schemas["ClusteringOut"];
export type ClusteringPatch = Schemas["ClusteringPatch"];
export type ClusteringRequest = Schemas["ClusteringRequest"];
export type CollectionInfo = Schemas["CollectionOut"];
export type CollectionRequest = Schemas["CollectionRequest"];
export type ComparedImages = Schemas["ComparedImages"];
export type Comparison = Schemas["ComparisonOut"];
export type ComparisonRequest = Schemas["ComparisonRequest"];
export type Counterparts = Schemas["Counterparts"];
export type DeleteRequest = Schemas["DeleteRequest"];
export type DeletionPlan = Schemas["PlanOut"];
export type DuplicateGroups = Schemas["DuplicateGroups"];
export type Duplicates = Schemas["DuplicatesOut"];
export type DuplicatesRequest = Schemas["DuplicatesRequest"];
export type Embeddings = Schemas["EmbedResponse"];
export type Explanation = Schemas["ExplainResponse"];
export type Facets = Schemas["Facets"];
export type Hit = Schemas["Hit"];
export type HitExplanation = Schemas["HitExplanation"];
export type ImagePage = Schemas["ImagePage"];
export type IndexedImage = Schemas["ImageOut"];
export type IndexResult = Schemas["IndexResponse"];
export type Info = Schemas["Info"];
export type ItemError = Schemas["ItemError"];
export type JobStatus = Schemas["Job"];
export type Leakage = Schemas["LeakageOut"];
export type Lineage = Schemas["LineageOut"];
export type Map = Schemas["Map"];
export type Migration = Schemas["Migration"];
export type MigrationRequest = Schemas["MigrationRequest"];
export type Model = Schemas["Model"];
export type Naming = Schemas["Naming"];
export type NamingRequest = Schemas["NamingRequest"];
export type Placements = Schemas["TransformResponse"];
export type Projection = Schemas["ProjectionOut"];
export type ProjectionPoints = Schemas["ProjectionPoints"];
export type ProjectionRequest = Schemas["ProjectionRequest"];
export type Readiness = Schemas["Readiness"];
export type Region = Schemas["Region"];
export type SearchBatch = Schemas["SearchBatchResponse"];
export type SearchRequest = Omit<Schemas["SearchRequest"], "image">;
export type SearchResult = Schemas["SearchResponse"];
export type Training = Schemas["Training"];
export type TrainingRequest = Schemas["AutoencoderRequest"] | Schemas["HeadRequest"];

type Query<Path extends keyof paths, Method extends "get" | "post"> = paths[Path] extends {
  [method in Method]: { parameters: { query?: infer Found } };
}
  ? NonNullable<Found>
  : never;

/** Which encoder, and which maps with what options. */
export type EmbedOptions = Query<"/v1/embed", "post">;

/** Which clusters to export, and as what. */
export type ExportOptions = Query<"/v1/collections/{collection}/clusterings/{name}/export", "get">;

/** The target with its options, and what to compare with: an image or an embedding. */
export type ExplainOptions = Query<"/v1/explain", "post"> & {
  reference?: ImageInput;
  vector?: number[];
};

/** The metadata field, and optionally the value to judge by and the weight of precision. */
export type AgreementOptions = Query<
  "/v1/collections/{collection}/clusterings/{name}/agreement",
  "get"
>;

/** Which set's images to list, in which order, and how many. */
export type CounterpartsOptions = Query<
  "/v1/collections/{collection}/comparisons/{name}/counterparts",
  "get"
>;

/** Which groups, and how many. */
export type DuplicateGroupsOptions = Query<
  "/v1/collections/{collection}/duplicates/{name}/groups",
  "get"
>;

/** The metadata field, and how many pairs. */
export type LeakageOptions = Query<
  "/v1/collections/{collection}/duplicates/{name}/leakage",
  "get"
>;

/** What kinds to delete, and how many ids to list. */
export type PlanOptions = Query<"/v1/collections/{collection}/duplicates/{name}/plan", "get">;

/** Jobs of one collection, and how many. */
export type JobsOptions = Query<"/v1/jobs", "get">;

/** A search by an image that is sent, with the options of any search. */
export type ImageSearch = Omit<
  SearchRequest,
  "id" | "vector" | "text" | "positive" | "negative" | "strategy"
> & { image: ImageInput };

/** Ids and metadata of images, one entry per image. */
export interface AddOptions {
  /** Default: the SHA-256 of the bytes. */
  ids?: string[];
  metadata?: Record<string, unknown>[];
  /** Default: the names of files, and the URLs that were fetched. */
  sources?: (string | null)[];
}
