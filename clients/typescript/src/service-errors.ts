// Written by generate.py from the service's errors: do not edit.

import { LookalikeError } from "./errors.js";

/** 400 `invalid_request`: The request cannot be read. */
export class InvalidRequest extends LookalikeError {
  override readonly name: string = "InvalidRequest";
}

/** 422 `missing_part`: A required part or field is absent. */
export class MissingPart extends InvalidRequest {
  override readonly name: string = "MissingPart";
}

/** 422 `invalid_field`: A field is unknown, of the wrong type or out of range. */
export class InvalidField extends InvalidRequest {
  override readonly name: string = "InvalidField";
}

/** 422 `invalid_filter`: The filter is not one the store understands. */
export class InvalidFilter extends InvalidRequest {
  override readonly name: string = "InvalidFilter";
}

/** 422 `invalid_vector`: A vector holds NaN, infinity or only zeros. */
export class InvalidVector extends InvalidRequest {
  override readonly name: string = "InvalidVector";
}

/** 422 `wrong_dimension`: A vector's length is not that of the collection's space. */
export class WrongDimension extends InvalidRequest {
  override readonly name: string = "WrongDimension";
}

/** 422 `invalid_parameters`: An analysis cannot run with these parameters on these points. */
export class InvalidParameters extends InvalidRequest {
  override readonly name: string = "InvalidParameters";
}

/** 422 `unsupported_target`: The encoder cannot explain this target. */
export class UnsupportedTarget extends InvalidRequest {
  override readonly name: string = "UnsupportedTarget";
}

/** 422 `unsupported_text`: The encoder embeds no text. */
export class UnsupportedText extends InvalidRequest {
  override readonly name: string = "UnsupportedText";
}

/** 422 `invalid_model`: The encoder cannot be built: its checkpoint does not fit or is not safe to read. */
export class InvalidModel extends InvalidRequest {
  override readonly name: string = "InvalidModel";
}

/** 415 `unsupported_media_type`: The request body's media type is not one this call reads. */
export class UnsupportedMediaType extends InvalidRequest {
  override readonly name: string = "UnsupportedMediaType";
}

/** 406 `not_acceptable`: No answer can be given in the accepted media types. */
export class NotAcceptable extends InvalidRequest {
  override readonly name: string = "NotAcceptable";
}

/** 413 `body_too_large`: The request body exceeds the limit in bytes. */
export class BodyTooLarge extends InvalidRequest {
  override readonly name: string = "BodyTooLarge";
}

/** 413 `too_many_images`: The request holds more images than one call takes. */
export class TooManyImages extends InvalidRequest {
  override readonly name: string = "TooManyImages";
}

/** 408 `upload_too_slow`: The request body did not come in the time that it has. */
export class UploadTooSlow extends InvalidRequest {
  override readonly name: string = "UploadTooSlow";
}

/** 405 `method_not_allowed`: The path exists, but not with this method. */
export class MethodNotAllowed extends InvalidRequest {
  override readonly name: string = "MethodNotAllowed";
}

/** 401 `unauthorized`: The request has no API key, or not one of the service's. */
export class Unauthorized extends LookalikeError {
  override readonly name: string = "Unauthorized";
}

/** 403 `forbidden`: The key's role or collections do not allow this call. */
export class Forbidden extends LookalikeError {
  override readonly name: string = "Forbidden";
}

/** 422 `image_error`: One image cannot be used; the others of its request are served. */
export class ImageError extends LookalikeError {
  override readonly name: string = "ImageError";
}

/** 422 `empty_image`: The image has no bytes. */
export class EmptyImage extends ImageError {
  override readonly name: string = "EmptyImage";
}

/** 415 `unsupported_image`: The bytes are not an image, or of a format that is not read. */
export class UnsupportedImage extends ImageError {
  override readonly name: string = "UnsupportedImage";
}

/** 422 `truncated_image`: The image ends before its data does. */
export class TruncatedImage extends ImageError {
  override readonly name: string = "TruncatedImage";
}

/** 422 `corrupt_image`: The image's data cannot be decoded. */
export class CorruptImage extends ImageError {
  override readonly name: string = "CorruptImage";
}

/** 413 `image_too_large`: The image exceeds the limit in bytes. */
export class ImageTooLarge extends ImageError {
  override readonly name: string = "ImageTooLarge";
}

/** 413 `too_many_pixels`: The image's header declares more pixels than are decoded. */
export class TooManyPixels extends ImageError {
  override readonly name: string = "TooManyPixels";
}

/** 422 `url_refused`: The image's URL is not one that the service fetches. */
export class UrlRefused extends ImageError {
  override readonly name: string = "UrlRefused";
}

/** 422 `url_failed`: The image's URL gave no picture. */
export class UrlFailed extends ImageError {
  override readonly name: string = "UrlFailed";
}

/** 404 `not_found`: There is nothing at this path. */
export class NotFound extends LookalikeError {
  override readonly name: string = "NotFound";
}

/** 404 `unknown_collection`: No collection of this name. */
export class UnknownCollection extends NotFound {
  override readonly name: string = "UnknownCollection";
}

/** 404 `unknown_model`: No encoder of this spec is served. */
export class UnknownModel extends NotFound {
  override readonly name: string = "UnknownModel";
}

/** 404 `unknown_image`: No image of this id in the collection. */
export class UnknownImage extends NotFound {
  override readonly name: string = "UnknownImage";
}

/** 404 `unknown_clustering`: No clustering of this name in the collection. */
export class UnknownClustering extends NotFound {
  override readonly name: string = "UnknownClustering";
}

/** 404 `unknown_cluster`: No cluster of this label in the clustering. */
export class UnknownCluster extends NotFound {
  override readonly name: string = "UnknownCluster";
}

/** 404 `unknown_projection`: No projection of this name in the collection. */
export class UnknownProjection extends NotFound {
  override readonly name: string = "UnknownProjection";
}

/** 404 `unknown_training`: No trained model of this name in the collection. */
export class UnknownTraining extends NotFound {
  override readonly name: string = "UnknownTraining";
}

/** 404 `unknown_migration`: The collection is not being migrated, and never was. */
export class UnknownMigration extends NotFound {
  override readonly name: string = "UnknownMigration";
}

/** 404 `unknown_calibration`: The collection's scores were not calibrated in its space. */
export class UnknownCalibration extends NotFound {
  override readonly name: string = "UnknownCalibration";
}

/** 404 `unknown_comparison`: No comparison of this name in the collection. */
export class UnknownComparison extends NotFound {
  override readonly name: string = "UnknownComparison";
}

/** 404 `unknown_duplicates`: No search for duplicates of this name in the collection. */
export class UnknownDuplicates extends NotFound {
  override readonly name: string = "UnknownDuplicates";
}

/** 404 `unknown_job`: No job of this id. */
export class UnknownJob extends NotFound {
  override readonly name: string = "UnknownJob";
}

/** 409 `conflict`: The request contradicts what exists. */
export class Conflict extends LookalikeError {
  override readonly name: string = "Conflict";
}

/** 409 `collection_exists`: A collection of this name exists with other settings. */
export class CollectionExists extends Conflict {
  override readonly name: string = "CollectionExists";
}

/** 409 `training_exists`: A model of this name was trained already; vectors may stand on it, so it is not replaced. */
export class TrainingExists extends Conflict {
  override readonly name: string = "TrainingExists";
}

/** 409 `migration_exists`: The collection is being migrated already; it has one migration at a time. */
export class MigrationExists extends Conflict {
  override readonly name: string = "MigrationExists";
}

/** 409 `migration_not_ready`: The migration is not at the stage that this call needs. */
export class MigrationNotReady extends Conflict {
  override readonly name: string = "MigrationNotReady";
}

/** 409 `space_mismatch`: A vector was made by another encoder, revision or preprocessing than the collection's. */
export class SpaceMismatch extends Conflict {
  override readonly name: string = "SpaceMismatch";
}

/** 409 `store_locked`: Another process owns the embedded store's folder. */
export class StoreLocked extends Conflict {
  override readonly name: string = "StoreLocked";
}

/** 409 `job_not_finished`: The job's result is not there yet, or it can no longer be changed. */
export class JobNotFinished extends Conflict {
  override readonly name: string = "JobNotFinished";
}

/** 409 `weights_missing`: The encoder's weights are not on this machine and cannot be downloaded from here. */
export class WeightsMissing extends Conflict {
  override readonly name: string = "WeightsMissing";
}

/** 503 `unavailable`: Try again after `retry_after` seconds. */
export class Unavailable extends LookalikeError {
  override readonly name: string = "Unavailable";
}

/** 429 `overloaded`: The queue is full. */
export class Overloaded extends Unavailable {
  override readonly name: string = "Overloaded";
}

/** 429 `rate_limited`: This caller's share of requests or images is used up for the moment. */
export class RateLimited extends Unavailable {
  override readonly name: string = "RateLimited";
}

/** 503 `store_unavailable`: The store does not answer. */
export class StoreUnavailable extends Unavailable {
  override readonly name: string = "StoreUnavailable";
}

/** 503 `not_ready`: The service is starting or a check fails. */
export class NotReady extends Unavailable {
  override readonly name: string = "NotReady";
}

/** 500 `internal_error`: A fault of the service; its log has the details. */
export class Internal extends LookalikeError {
  override readonly name: string = "Internal";
}

/** 500 `encoder_failed`: The model raised on this image. */
export class EncoderFailed extends Internal {
  override readonly name: string = "EncoderFailed";
}

/** The class of each code. */
export const errorClasses = {
  invalid_request: InvalidRequest,
  missing_part: MissingPart,
  invalid_field: InvalidField,
  invalid_filter: InvalidFilter,
  invalid_vector: InvalidVector,
  wrong_dimension: WrongDimension,
  invalid_parameters: InvalidParameters,
  unsupported_target: UnsupportedTarget,
  unsupported_text: UnsupportedText,
  invalid_model: InvalidModel,
  unsupported_media_type: UnsupportedMediaType,
  not_acceptable: NotAcceptable,
  body_too_large: BodyTooLarge,
  too_many_images: TooManyImages,
  upload_too_slow: UploadTooSlow,
  method_not_allowed: MethodNotAllowed,
  unauthorized: Unauthorized,
  forbidden: Forbidden,
  image_error: ImageError,
  empty_image: EmptyImage,
  unsupported_image: UnsupportedImage,
  truncated_image: TruncatedImage,
  corrupt_image: CorruptImage,
  image_too_large: ImageTooLarge,
  too_many_pixels: TooManyPixels,
  url_refused: UrlRefused,
  url_failed: UrlFailed,
  not_found: NotFound,
  unknown_collection: UnknownCollection,
  unknown_model: UnknownModel,
  unknown_image: UnknownImage,
  unknown_clustering: UnknownClustering,
  unknown_cluster: UnknownCluster,
  unknown_projection: UnknownProjection,
  unknown_training: UnknownTraining,
  unknown_migration: UnknownMigration,
  unknown_calibration: UnknownCalibration,
  unknown_comparison: UnknownComparison,
  unknown_duplicates: UnknownDuplicates,
  unknown_job: UnknownJob,
  conflict: Conflict,
  collection_exists: CollectionExists,
  training_exists: TrainingExists,
  migration_exists: MigrationExists,
  migration_not_ready: MigrationNotReady,
  space_mismatch: SpaceMismatch,
  store_locked: StoreLocked,
  job_not_finished: JobNotFinished,
  weights_missing: WeightsMissing,
  unavailable: Unavailable,
  overloaded: Overloaded,
  rate_limited: RateLimited,
  store_unavailable: StoreUnavailable,
  not_ready: NotReady,
  internal_error: Internal,
  encoder_failed: EncoderFailed,
};
