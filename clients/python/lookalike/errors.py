"""Every error the client raises: the service's, code by code, and what goes wrong on this side.

LookalikeError
├── InvalidRequest            400 invalid_request
│   ├── MissingPart           422 missing_part
│   ├── InvalidField          422 invalid_field
│   ├── InvalidFilter         422 invalid_filter
│   ├── InvalidVector         422 invalid_vector
│   ├── WrongDimension        422 wrong_dimension
│   ├── InvalidParameters     422 invalid_parameters
│   ├── UnsupportedTarget     422 unsupported_target
│   ├── UnsupportedText       422 unsupported_text
│   ├── InvalidModel          422 invalid_model
│   ├── UnsupportedMediaType  415 unsupported_media_type
│   ├── NotAcceptable         406 not_acceptable
│   ├── BodyTooLarge          413 body_too_large
│   ├── TooManyImages         413 too_many_images
│   ├── UploadTooSlow         408 upload_too_slow        the body does not come in the time it has
│   └── MethodNotAllowed      405 method_not_allowed
├── Unauthorized              401 unauthorized           no API key, or not one of the service's
├── Forbidden                 403 forbidden              the key's role or collections do not allow it
├── ImageError                422 image_error            one image; in a batch it is a value, not raised
│   ├── EmptyImage            422 empty_image
│   ├── UnsupportedImage      415 unsupported_image
│   ├── TruncatedImage        422 truncated_image
│   ├── CorruptImage          422 corrupt_image
│   ├── ImageTooLarge         413 image_too_large
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
│   └── UnknownJob            404 unknown_job
├── Conflict                  409 conflict
│   ├── CollectionExists      409 collection_exists
│   ├── TrainingExists        409 training_exists        a trained model is never replaced
│   ├── SpaceMismatch         409 space_mismatch
│   ├── StoreLocked           409 store_locked
│   ├── JobNotFinished        409 job_not_finished
│   └── WeightsMissing        409 weights_missing
├── Unavailable               503 unavailable            tried again before it is raised
│   ├── Overloaded            429 overloaded
│   ├── RateLimited           429 rate_limited           this caller's share is used up
│   ├── StoreUnavailable      503 store_unavailable
│   └── NotReady              503 not_ready
├── Internal                  500 internal_error
│   └── EncoderFailed         500 encoder_failed
└── ClientError                   client_error           on this side; no HTTP status
    ├── InvalidInput              invalid_input          an argument cannot be sent (also a ValueError)
    ├── DownloadFailed            download_failed        an image could not be fetched from its URL
    ├── ConnectionFailed          connection_failed      nothing answers at the URL
    ├── TimedOut                  timed_out              no answer in time
    ├── UnexpectedAnswer          unexpected_answer      an answer that is not the service's
    └── JobCancelled              job_cancelled          the job waited for was cancelled
"""

from __future__ import annotations

from collections.abc import Iterator


class LookalikeError(Exception):
    """Base of all errors. One with a code this client does not know is raised as this class.

    `code` is the stable name, `status` the HTTP status (None on this side), `detail` says what was
    wrong and what is allowed, `index` is the position of the image at fault in its request,
    `retry_after` the seconds the service asked to wait.
    """

    code: str = "error"
    status: int | None = 500

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        index: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.detail = detail
        self.index = index
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class InvalidRequest(LookalikeError):
    """The request cannot be read."""

    code, status = "invalid_request", 400


class MissingPart(InvalidRequest):
    """A required part or field is absent."""

    code, status = "missing_part", 422


class InvalidField(InvalidRequest):
    """A field is unknown, of the wrong type or out of range."""

    code, status = "invalid_field", 422


class InvalidFilter(InvalidRequest):
    """The filter is not one the store understands."""

    code, status = "invalid_filter", 422


class InvalidVector(InvalidRequest):
    """A vector holds NaN, infinity or only zeros."""

    code, status = "invalid_vector", 422


class WrongDimension(InvalidRequest):
    """A vector's length is not that of the collection's space."""

    code, status = "wrong_dimension", 422


class InvalidParameters(InvalidRequest):
    """An analysis cannot run with these parameters on these points."""

    code, status = "invalid_parameters", 422


class UnsupportedTarget(InvalidRequest):
    """The encoder cannot explain this target."""

    code, status = "unsupported_target", 422


class UnsupportedText(InvalidRequest):
    """The encoder embeds no text."""

    code, status = "unsupported_text", 422


class InvalidModel(InvalidRequest):
    """The encoder cannot be built: its checkpoint does not fit or is not safe to read."""

    code, status = "invalid_model", 422


class UnsupportedMediaType(InvalidRequest):
    """The request body's media type is not one this call reads."""

    code, status = "unsupported_media_type", 415


class NotAcceptable(InvalidRequest):
    """No answer can be given in the accepted media types."""

    code, status = "not_acceptable", 406


class BodyTooLarge(InvalidRequest):
    """The request body exceeds the limit in bytes."""

    code, status = "body_too_large", 413


class TooManyImages(InvalidRequest):
    """The request holds more images than one call takes."""

    code, status = "too_many_images", 413


class UploadTooSlow(InvalidRequest):
    """The request body did not come in the time that it has."""

    code, status = "upload_too_slow", 408


class MethodNotAllowed(InvalidRequest):
    """The path exists, but not with this method."""

    code, status = "method_not_allowed", 405


class Unauthorized(LookalikeError):
    """The request has no API key, or not one of the service's."""

    code, status = "unauthorized", 401


class Forbidden(LookalikeError):
    """The key's role or collections do not allow this call."""

    code, status = "forbidden", 403


class ImageError(LookalikeError):
    """One image cannot be used."""

    code, status = "image_error", 422


class EmptyImage(ImageError):
    """The image has no bytes."""

    code, status = "empty_image", 422


class UnsupportedImage(ImageError):
    """The bytes are not an image, or of a format that is not read."""

    code, status = "unsupported_image", 415


class TruncatedImage(ImageError):
    """The image ends before its data does."""

    code, status = "truncated_image", 422


class CorruptImage(ImageError):
    """The image's data cannot be decoded."""

    code, status = "corrupt_image", 422


class ImageTooLarge(ImageError):
    """The image exceeds the limit in bytes."""

    code, status = "image_too_large", 413


class TooManyPixels(ImageError):
    """The image's header declares more pixels than are decoded."""

    code, status = "too_many_pixels", 413


class UrlRefused(ImageError):
    """The image's URL is not one that the service fetches."""

    code, status = "url_refused", 422


class UrlFailed(ImageError):
    """The image's URL gave no picture."""

    code, status = "url_failed", 422


class NotFound(LookalikeError):
    """There is nothing at this path."""

    code, status = "not_found", 404


class UnknownCollection(NotFound):
    """No collection of this name."""

    code, status = "unknown_collection", 404


class UnknownModel(NotFound):
    """No encoder of this spec is served."""

    code, status = "unknown_model", 404


class UnknownImage(NotFound):
    """No image of this id in the collection."""

    code, status = "unknown_image", 404


class UnknownClustering(NotFound):
    """No clustering of this name in the collection."""

    code, status = "unknown_clustering", 404


class UnknownCluster(NotFound):
    """No cluster of this label in the clustering."""

    code, status = "unknown_cluster", 404


class UnknownProjection(NotFound):
    """No projection of this name in the collection."""

    code, status = "unknown_projection", 404


class UnknownTraining(NotFound):
    """No trained model of this name in the collection."""

    code, status = "unknown_training", 404


class UnknownCalibration(NotFound):
    """The collection's scores were not calibrated in its space."""

    code, status = "unknown_calibration", 404


class UnknownComparison(NotFound):
    """No comparison of this name in the collection."""

    code, status = "unknown_comparison", 404


class UnknownDuplicates(NotFound):
    """No search for duplicates of this name in the collection."""

    code, status = "unknown_duplicates", 404


class UnknownMigration(NotFound):
    """The collection is not being migrated, and never was."""

    code, status = "unknown_migration", 404


class UnknownJob(NotFound):
    """No job of this id."""

    code, status = "unknown_job", 404


class Conflict(LookalikeError):
    """The request contradicts what exists."""

    code, status = "conflict", 409


class CollectionExists(Conflict):
    """A collection of this name exists with other settings."""

    code, status = "collection_exists", 409


class TrainingExists(Conflict):
    """A model of this name was trained already; vectors may stand on it, so it is not replaced."""

    code, status = "training_exists", 409


class MigrationExists(Conflict):
    """The collection is being migrated already; it has one migration at a time."""

    code, status = "migration_exists", 409


class MigrationNotReady(Conflict):
    """The migration is not at the stage that this call needs."""

    code, status = "migration_not_ready", 409


class SpaceMismatch(Conflict):
    """A vector was made by another encoder, revision or preprocessing than the collection's."""

    code, status = "space_mismatch", 409


class StoreLocked(Conflict):
    """Another process owns the embedded store's folder."""

    code, status = "store_locked", 409


class JobNotFinished(Conflict):
    """The job's result is not there yet, or it can no longer be changed."""

    code, status = "job_not_finished", 409


class WeightsMissing(Conflict):
    """The encoder's weights are not on this machine and cannot be downloaded from there."""

    code, status = "weights_missing", 409


class Unavailable(LookalikeError):
    """The service asks to try again later; it was, as often as the client's `retries` allow."""

    code, status = "unavailable", 503


class Overloaded(Unavailable):
    """The queue is full."""

    code, status = "overloaded", 429


class RateLimited(Unavailable):
    """This caller's share of requests or images is used up for the moment."""

    code, status = "rate_limited", 429


class StoreUnavailable(Unavailable):
    """The store does not answer."""

    code, status = "store_unavailable", 503


class NotReady(Unavailable):
    """The service is starting or a check fails."""

    code, status = "not_ready", 503


class Internal(LookalikeError):
    """A fault of the service; its log has the details."""

    code, status = "internal_error", 500


class EncoderFailed(Internal):
    """The model raised on this image."""

    code, status = "encoder_failed", 500


class ClientError(LookalikeError):
    """Base of what goes wrong on this side of the wire."""

    code, status = "client_error", None


class InvalidInput(ClientError, ValueError):
    """An argument cannot be sent: the message says what is taken."""

    code = "invalid_input"


class DownloadFailed(ClientError):
    """An image could not be fetched from its URL."""

    code = "download_failed"


class ConnectionFailed(ClientError):
    """Nothing answers at the URL, or the connection broke."""

    code = "connection_failed"


class TimedOut(ClientError):
    """No answer, or no end of a job, within the time allowed."""

    code = "timed_out"


class UnexpectedAnswer(ClientError):
    """The answer is not one of the service's: another server, or another version."""

    code = "unexpected_answer"


class JobCancelled(ClientError):
    """The job that was waited for was cancelled."""

    code = "job_cancelled"


def service_errors() -> Iterator[type[LookalikeError]]:
    """Every class that mirrors an error of the service, base first."""
    pending: list[type[LookalikeError]] = [LookalikeError]
    while pending:
        cls = pending.pop(0)
        yield cls
        pending = [sub for sub in cls.__subclasses__() if sub is not ClientError] + pending


_BY_CODE = {cls.code: cls for cls in service_errors()}


def error_for(
    code: str,
    detail: str,
    *,
    status: int | None = None,
    index: int | None = None,
    retry_after: float | None = None,
) -> LookalikeError:
    """The error of a service code; the base class for a code this client does not know."""
    cls = _BY_CODE.get(code, LookalikeError)
    return cls(detail, code=code, status=status, index=index, retry_after=retry_after)
