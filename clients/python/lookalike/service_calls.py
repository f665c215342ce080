"""Calls of the service as a whole, described once for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Unpack, overload

from lookalike import results
from lookalike.call import Call, content, nothing, record, records
from lookalike.explaining import Target, TargetOptions, target_query
from lookalike.fields import as_json, present, segment
from lookalike.images import ImageInput, read_image, read_images


def info() -> Call[results.Info]:
    """Version, default encoder, device, dtype and store."""
    return Call("GET", "/v1/info", record(results.Info))


def models() -> Call[list[results.Model]]:
    """The encoders that are served."""
    return Call("GET", "/v1/models", records(results.Model, "models"))


def algorithms() -> Call[list[results.Algorithm]]:
    """The clustering algorithms, with their parameters, defaults and what they mean."""
    return Call("GET", "/v1/algorithms", records(results.Algorithm, "algorithms"))


def ready() -> Call[results.Readiness]:
    """Ask whether a canary image embeds and the store answers. Raises NotReady if not, at once."""
    return Call("GET", "/readyz", record(results.Readiness), repeat="never")


# -- embedding and explanation


def embed(
    images: ImageInput | Iterable[ImageInput],
    *,
    model: str | None = None,
    explain: Literal["none"] | Target = "none",
    **options: Unpack[TargetOptions],
) -> Call[results.Embeddings]:
    """Embed images, in order; `explain`, such as "self", adds a map of that target to each.

    `options` are those of the target. An image that cannot be used has `error` in its item and the others
    are served. Raises InvalidInput, UnknownModel, TooManyImages, UnsupportedTarget.
    """
    return Call(
        "POST",
        "/v1/embed",
        record(results.Embeddings),
        query=present(model=model, explain=explain) | target_query(options),
        files=[("images", file) for file in read_images(images)],
        only_failed=lambda error: results.Embeddings([results.EmbedItem(0, error=error)]),
    )


def embed_texts(
    texts: str | Iterable[str], *, model: str | None = None
) -> Call[results.Embeddings]:
    """Embed texts, in order, into the space of an encoder that embeds text too.

    Raises UnsupportedText naming encoders that can, UnknownModel, TooManyImages.
    """
    return Call(
        "POST",
        "/v1/embed",
        record(results.Embeddings),
        query=present(model=model),
        json={"texts": [texts] if isinstance(texts, str) else list(texts)},
    )


@overload
def explain(
    image: ImageInput,
    reference: ImageInput | None = None,
    *,
    target: Target | None = None,
    vector: Iterable[float] | None = None,
    model: str | None = None,
    faithfulness: bool = True,
    as_png: Literal[False] = False,
    **options: Unpack[TargetOptions],
) -> Call[results.Explanation]: ...


@overload
def explain(
    image: ImageInput,
    reference: ImageInput | None = None,
    *,
    target: Target | None = None,
    vector: Iterable[float] | None = None,
    model: str | None = None,
    faithfulness: bool = True,
    as_png: Literal[True],
    **options: Unpack[TargetOptions],
) -> Call[bytes]: ...


def explain(
    image: ImageInput,
    reference: ImageInput | None = None,
    *,
    target: Target | None = None,
    vector: Iterable[float] | None = None,
    model: str | None = None,
    faithfulness: bool = True,
    as_png: bool = False,
    **options: Unpack[TargetOptions],
) -> Call[results.Explanation] | Call[bytes]:
    """Where in an image its embedding comes from, or what speaks for a target.

    `target` defaults to `similarity` when there is a `reference`, a `vector` or an `id` to compare with,
    else `self`; `options` are those of the target. `faithfulness` judges each map, for 32 embeddings a map.
    `as_png` gives the overlays as PNG bytes instead of the grids. Raises InvalidInput, ImageError,
    UnknownModel, UnsupportedTarget, and what the options name and is not there: UnknownCluster…
    """
    files = [("image", read_image(image))]
    if reference is not None:
        files.append(("reference", read_image(reference)))
    floats = None if vector is None else [float(value) for value in vector]
    query = present(model=model, target=target, faithfulness=None if faithfulness else False)
    parts: dict[str, Any] = {
        "query": query | target_query(options),
        "files": files,
        "form": present(vector=as_json(floats)),
    }
    if as_png:
        return Call("POST", "/v1/explain", content, accept="image/png", **parts)
    return Call("POST", "/v1/explain", record(results.Explanation), **parts)


# -- jobs


def jobs(
    collection: str | None = None, *, limit: int | None = None
) -> Call[list[results.JobStatus]]:
    """All jobs, or those of a collection, newest first; at most `limit`, by default 100."""
    query = present(collection=collection, limit=limit)
    return Call("GET", "/v1/jobs", records(results.JobStatus, "jobs"), query)


def job(id: str) -> Call[results.JobStatus]:
    """Where one job stands. Raises UnknownJob."""
    return Call("GET", f"/v1/jobs/{segment(id)}", record(results.JobStatus))


def cancel_job(id: str) -> Call[None]:
    """Cancel a job; it stops at its next step. Raises UnknownJob, JobNotFinished."""
    return Call("DELETE", f"/v1/jobs/{segment(id)}", nothing)


# -- collections


def collections() -> Call[list[results.CollectionInfo]]:
    """All collections."""
    return Call("GET", "/v1/collections", records(results.CollectionInfo, "collections"))


def create_collection(
    name: str,
    *,
    model: str | None = None,
    indexes: Mapping[str, results.FieldType] | None = None,
) -> Call[results.CollectionInfo]:
    """Create a collection, or describe the one that exists with the same settings.

    `indexes` names the fields to filter by, such as {"metadata.label": "keyword"}.
    Raises CollectionExists if it exists with other settings, UnknownModel, InvalidField.
    """
    return Call(
        "PUT",
        f"/v1/collections/{segment(name)}",
        record(results.CollectionInfo),
        json=present(model=model, indexes=None if indexes is None else dict(indexes)),
    )


def delete_collection(name: str) -> Call[None]:
    """Drop a collection with all its images. Raises UnknownCollection."""
    return Call("DELETE", f"/v1/collections/{segment(name)}", nothing, repeat="unless_received")
