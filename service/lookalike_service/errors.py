"""Every error the service answers with: a stable code, an HTTP status, and what is allowed.

LookalikeError
├── InvalidRequest            400 invalid_request        the request cannot be read
│   ├── MissingPart           422 missing_part           a required part or field is absent
│   ├── InvalidField          422 invalid_field          an unknown field, a wrong type or value
│   ├── InvalidFilter         422 invalid_filter         the filter is not one the store understands
│   ├── InvalidVector         422 invalid_vector         a vector holds NaN, infinity or only zeros
│   ├── WrongDimension        422 wrong_dimension        a vector's length is not the space's
│   ├── InvalidParameters     422 invalid_parameters     an analysis cannot run with these parameters
│   ├── UnsupportedTarget     422 unsupported_target     the encoder cannot explain this target
│   ├── UnsupportedText       422 unsupported_text       the encoder embeds no text
│   ├── InvalidModel          422 invalid_model          a checkpoint does not fit, or is not safe to read
│   ├── UnsupportedMediaType  415 unsupported_media_type the request body's type
│   ├── NotAcceptable         406 not_acceptable         no answer of the accepted types
│   ├── BodyTooLarge          413 body_too_large
│   ├── TooManyImages         413 too_many_images
│   ├── UploadTooSlow         408 upload_too_slow        the body does not come in the time it has
│   └── MethodNotAllowed      405 method_not_allowed
├── Unauthorized              401 unauthorized           no API key, or not one of the service's
├── Forbidden                 403 forbidden              the key's role or collections do not allow it
├── ImageError                                           one image; its batch mates are served
│   ├── EmptyImage            422 empty_image
│   ├── UnsupportedImage      415 unsupported_image      not an image, or of a format that is not read
│   ├── TruncatedImage        422 truncated_image
│   ├── CorruptImage          422 corrupt_image
│   ├── ImageTooLarge         413 image_too_large        in bytes
│   ├── TooManyPixels         413 too_many_pixels
│   ├── UrlRefused            422 url_refused            a URL that the service does not fetch
│   └── UrlFailed             422 url_failed             a URL that gave no picture
├── NotFound                  404 not_found
│   ├── UnknownCollection     404 unknown_collection
│   ├── UnknownModel          404 unknown_model
│   ├── UnknownImage          404 unknown_image
│   ├── UnknownClustering     404 unknown_clustering
│   ├── UnknownCluster        404 unknown_cluster
│   ├── UnknownProjection     404 unknown_projection
│   ├── UnknownTraining       404 unknown_training
│   ├── UnknownCalibration    404 unknown_calibration    the scores were never calibrated
│   ├── UnknownComparison     404 unknown_comparison
│   ├── UnknownDuplicates     404 unknown_duplicates     duplicates were never looked for under this name
│   ├── UnknownMigration      404 unknown_migration
│   └── UnknownJob            404 unknown_job
├── Conflict
│   ├── CollectionExists      409 collection_exists      with other settings
│   ├── TrainingExists        409 training_exists        a trained model is never replaced
│   ├── MigrationExists       409 migration_exists       a collection has one migration at a time
│   ├── MigrationNotReady     409 migration_not_ready    not at the stage that this call needs
│   ├── SpaceMismatch         409 space_mismatch         a vector of another encoder or revision
│   ├── StoreLocked           409 store_locked           another process owns the embedded store
│   ├── JobNotFinished        409 job_not_finished
│   └── WeightsMissing        409 weights_missing        not on this machine, and no hub to get them from
├── Unavailable                                          try again; carries Retry-After
│   ├── Overloaded            429 overloaded
│   ├── RateLimited           429 rate_limited           this caller's share is used up
│   ├── StoreUnavailable      503 store_unavailable
│   └── NotReady              503 not_ready
└── Internal                  500 internal_error         a fault of the service; details are in its log
    └── EncoderFailed         500 encoder_failed         the model raised on this image
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class LookalikeError(Exception):
    """Base of all errors with a code; `detail` says what was wrong and what is allowed."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Error"

    def __init__(self, detail: str, **context: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with detail and context intact."""
        return (_rebuild, (type(self), self.detail, self.context))


def _rebuild(cls: type[LookalikeError], detail: str, context: dict[str, Any]) -> LookalikeError:
    return cls(detail, **context)


class InvalidRequest(LookalikeError):
    """The request cannot be read."""

    code, status, title = "invalid_request", 400, "Invalid request"


class MissingPart(InvalidRequest):
    """A required part or field is absent."""

    code, status, title = "missing_part", 422, "Missing part"


class InvalidField(InvalidRequest):
    """A field is unknown, of the wrong type or out of range."""

    code, status, title = "invalid_field", 422, "Invalid field"


class InvalidFilter(InvalidRequest):
    """The filter is not one the store understands."""

    code, status, title = "invalid_filter", 422, "Invalid filter"


class InvalidVector(InvalidRequest):
    """A vector holds NaN, infinity or only zeros."""

    code, status, title = "invalid_vector", 422, "Invalid vector"


class WrongDimension(InvalidRequest):
    """A vector's length is not that of the collection's space."""

    code, status, title = "wrong_dimension", 422, "Wrong dimension"


class InvalidParameters(InvalidRequest):
    """An analysis cannot run with these parameters on these points."""

    code, status, title = "invalid_parameters", 422, "Invalid parameters"


class UnsupportedTarget(InvalidRequest):
    """The encoder cannot explain this target."""

    code, status, title = "unsupported_target", 422, "Unsupported target"


class UnsupportedText(InvalidRequest):
    """The encoder embeds no text."""

    code, status, title = "unsupported_text", 422, "Unsupported text"


class InvalidModel(InvalidRequest):
    """The encoder cannot be built: its checkpoint does not fit or is not safe to read."""

    code, status, title = "invalid_model", 422, "Invalid model"


class UnsupportedMediaType(InvalidRequest):
    """The request body's media type is not one this call reads."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class NotAcceptable(InvalidRequest):
    """No answer can be given in the accepted media types."""

    code, status, title = "not_acceptable", 406, "Not acceptable"


class BodyTooLarge(InvalidRequest):
    """The request body exceeds the limit in bytes."""

    code, status, title = "body_too_large", 413, "Body too large"


class TooManyImages(InvalidRequest):
    """The request holds more images than one call takes."""

    code, status, title = "too_many_images", 413, "Too many images"


class UploadTooSlow(InvalidRequest):
    """The request body did not come in the time that it has."""

    code, status, title = "upload_too_slow", 408, "Upload too slow"


class MethodNotAllowed(InvalidRequest):
    """The path exists, but not with this method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class Unauthorized(LookalikeError):
    """The request has no API key, or not one of the service's."""

    code, status, title = "unauthorized", 401, "Unauthorized"


class Forbidden(LookalikeError):
    """The key's role or collections do not allow this call."""

    code, status, title = "forbidden", 403, "Forbidden"


class ImageError(LookalikeError):
    """One image cannot be used; the others of its request are served."""

    code, status, title = "image_error", 422, "Unusable image"


class EmptyImage(ImageError):
    """The image has no bytes."""

    code, status, title = "empty_image", 422, "Empty image"


class UnsupportedImage(ImageError):
    """The bytes are not an image, or of a format that is not read."""

    code, status, title = "unsupported_image", 415, "Unsupported image"


class TruncatedImage(ImageError):
    """The image ends before its data does."""

    code, status, title = "truncated_image", 422, "Truncated image"


class CorruptImage(ImageError):
    """The image's data cannot be decoded."""

    code, status, title = "corrupt_image", 422, "Corrupt image"


class ImageTooLarge(ImageError):
    """The image exceeds the limit in bytes."""

    code, status, title = "image_too_large", 413, "Image too large"


class TooManyPixels(ImageError):
    """The image's header declares more pixels than are decoded."""

    code, status, title = "too_many_pixels", 413, "Too many pixels"


class UrlRefused(ImageError):
    """The image's URL is not one that the service fetches."""

    code, status, title = "url_refused", 422, "URL refused"


class UrlFailed(ImageError):
    """The image's URL gave no picture."""

    code, status, title = "url_failed", 422, "URL failed"


class NotFound(LookalikeError):
    """There is nothing at this path."""

    code, status, title = "not_found", 404, "Not found"


class UnknownCollection(NotFound):
    """No collection of this name."""

    code, status, title = "unknown_collection", 404, "Unknown collection"


class UnknownModel(NotFound):
    """No encoder of this spec is served."""

    code, status, title = "unknown_model", 404, "Unknown model"


class UnknownImage(NotFound):
    """No image of this id in the collection."""

    code, status, title = "unknown_image", 404, "Unknown image"


class UnknownClustering(NotFound):
    """No clustering of this name in the collection."""

    code, status, title = "unknown_clustering", 404, "Unknown clustering"


class UnknownCluster(NotFound):
    """No cluster of this label in the clustering."""

    code, status, title = "unknown_cluster", 404, "Unknown cluster"


class UnknownProjection(NotFound):
    """No projection of this name in the collection."""

    code, status, title = "unknown_projection", 404, "Unknown projection"


class UnknownTraining(NotFound):
    """No trained model of this name in the collection."""

    code, status, title = "unknown_training", 404, "Unknown training"


class UnknownMigration(NotFound):
    """The collection is not being migrated, and never was."""

    code, status, title = "unknown_migration", 404, "Unknown migration"


class UnknownCalibration(NotFound):
    """The collection's scores were not calibrated in its space."""

    code, status, title = "unknown_calibration", 404, "Unknown calibration"


class UnknownComparison(NotFound):
    """No comparison of this name in the collection."""

    code, status, title = "unknown_comparison", 404, "Unknown comparison"


class UnknownDuplicates(NotFound):
    """No search for duplicates of this name in the collection."""

    code, status, title = "unknown_duplicates", 404, "Unknown duplicates"


class UnknownJob(NotFound):
    """No job of this id."""

    code, status, title = "unknown_job", 404, "Unknown job"


class Conflict(LookalikeError):
    """The request contradicts what exists."""

    code, status, title = "conflict", 409, "Conflict"


class CollectionExists(Conflict):
    """A collection of this name exists with other settings."""

    code, status, title = "collection_exists", 409, "Collection exists"


class TrainingExists(Conflict):
    """A model of this name was trained already; vectors may stand on it, so it is not replaced."""

    code, status, title = "training_exists", 409, "Training exists"


class MigrationExists(Conflict):
    """The collection is being migrated already; it has one migration at a time."""

    code, status, title = "migration_exists", 409, "Migration exists"


class MigrationNotReady(Conflict):
    """The migration is not at the stage that this call needs."""

    code, status, title = "migration_not_ready", 409, "Migration not ready"


class SpaceMismatch(Conflict):
    """A vector was made by another encoder, revision or preprocessing than the collection's."""

    code, status, title = "space_mismatch", 409, "Space mismatch"


class StoreLocked(Conflict):
    """Another process owns the embedded store's folder."""

    code, status, title = "store_locked", 409, "Store locked"


class JobNotFinished(Conflict):
    """The job's result is not there yet, or it can no longer be changed."""

    code, status, title = "job_not_finished", 409, "Job not finished"


class WeightsMissing(Conflict):
    """The encoder's weights are not on this machine and cannot be downloaded from here."""

    code, status, title = "weights_missing", 409, "Weights missing"


class Unavailable(LookalikeError):
    """Try again after `retry_after` seconds."""

    code, status, title = "unavailable", 503, "Unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1, **context: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **context)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """The queue is full."""

    code, status, title = "overloaded", 429, "Overloaded"


class RateLimited(Unavailable):
    """This caller's share of requests or images is used up for the moment."""

    code, status, title = "rate_limited", 429, "Rate limited"


class StoreUnavailable(Unavailable):
    """The store does not answer."""

    code, status, title = "store_unavailable", 503, "Store unavailable"


class NotReady(Unavailable):
    """The service is starting or a check fails."""

    code, status, title = "not_ready", 503, "Not ready"


class Internal(LookalikeError):
    """A fault of the service; its log has the details."""

    code, status, title = "internal_error", 500, "Internal error"


class EncoderFailed(Internal):
    """The model raised on this image."""

    code, status, title = "encoder_failed", 500, "Encoder failed"


def all_errors() -> Iterator[type[LookalikeError]]:
    """Every error class, base first, in the order of the tree above."""
    pending: list[type[LookalikeError]] = [LookalikeError]
    while pending:
        cls = pending.pop(0)
        yield cls
        pending = cls.__subclasses__() + pending
