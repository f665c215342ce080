"""Calls on one collection, described once for both clients; each takes the collection's name first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from lookalike import results
from lookalike.call import Answer, Call, content, nothing, record, records
from lookalike.errors import InvalidInput, UnexpectedAnswer
from lookalike.fields import Filter, as_json, collection_path, one_per_image, present
from lookalike.images import ImageInput, read_images


def describe(collection: str) -> Call[results.CollectionInfo]:
    """Encoder, number of images and indexes. Raises UnknownCollection."""
    return Call("GET", collection_path(collection), record(results.CollectionInfo))


# -- images


def add(
    collection: str,
    images: ImageInput | Iterable[ImageInput],
    *,
    ids: Sequence[str] | None = None,
    metadata: Sequence[Mapping[str, Any]] | None = None,
    sources: Sequence[str | None] | None = None,
) -> Call[results.IndexResult]:
    """Index images, in order; ids default to the SHA-256 of the bytes, sources to the paths.

    Repeating it changes nothing. An image that cannot be used has `error` in its item, also when
    it is the only one. Raises InvalidInput, UnknownCollection, InvalidField, TooManyImages.
    """
    files = read_images(images)
    for name, values in (("ids", ids), ("metadata", metadata), ("sources", sources)):
        one_per_image(name, values, len(files))
    form = present(
        ids=as_json(ids and list(ids)),
        metadata=as_json(metadata and [dict(entry) for entry in metadata]),
        sources=as_json(list(sources) if sources else [file.source for file in files]),
    )
    return Call(
        "POST",
        collection_path(collection, "images"),
        record(results.IndexResult),
        files=[("images", file) for file in files],
        form=form,
        only_failed=_index_failed,
    )


def _index_failed(error: results.ItemError) -> results.IndexResult:
    item = results.IndexItem(0, error=error)
    return results.IndexResult([item], created=0, updated=0, unchanged=0, failed=1)


def image_page(
    collection: str,
    *,
    filter: Filter | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Call[results.ImagePage]:
    """A page of at most `limit` images. Raises UnknownCollection, InvalidFilter."""
    query = present(limit=limit, cursor=cursor, filter=as_json(filter))
    return Call("GET", collection_path(collection, "images"), record(results.ImagePage), query)


def image(collection: str, id: str) -> Call[results.IndexedImage]:
    """One image's record. Raises UnknownImage."""
    return Call("GET", collection_path(collection, "images", id), record(results.IndexedImage))


def update(
    collection: str,
    id: str,
    metadata: Mapping[str, Any],
) -> Call[results.IndexedImage]:
    """Merge metadata into an image's; a value of None removes its key. Raises UnknownImage."""
    path = collection_path(collection, "images", id)
    return Call("PATCH", path, record(results.IndexedImage), json={"metadata": dict(metadata)})


def delete(
    collection: str,
    ids: Sequence[str] | None = None,
    *,
    filter: Filter | None = None,
) -> Call[int]:
    """Delete images by id, or all that match a filter; how many existed.

    Raises InvalidInput unless given exactly one of the two, UnknownCollection, InvalidFilter.
    """
    if (ids is None) == (filter is None):
        raise InvalidInput("delete() takes ids or a filter: exactly one of the two.")
    if isinstance(ids, str):
        raise InvalidInput("'ids' must be a list of ids.")
    return Call(
        "POST",
        collection_path(collection, "images", "delete"),
        _deleted,
        json=present(ids=None if ids is None else list(ids), filter=filter),
        repeat="unless_received",
    )


def _deleted(answer: Answer) -> int:
    data = answer.json()
    if not isinstance(data, dict) or not isinstance(data.get("deleted"), int):
        raise UnexpectedAnswer(f"{answer.request}: the answer has no number 'deleted'.")
    return int(data["deleted"])


def thumbnail(collection: str, id: str) -> Call[bytes]:
    """A small JPEG of an image. Raises UnknownImage."""
    return Call(
        "GET", collection_path(collection, "images", id, "thumbnail"), content, accept="image/*"
    )


# -- clusterings


def cluster(
    collection: str,
    algorithm: str = "kmeans",
    parameters: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    reduction: str | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start a clustering; `name` defaults to the algorithm and replaces an older run of that name.

    `reduction`, such as "pca:50", comes first. Raises UnknownCollection, InvalidParameters.
    """
    options = present(name=name, reduction=reduction, filter=filter)
    return Call(
        "POST",
        collection_path(collection, "clusterings"),
        record(results.JobStatus),
        json={"algorithm": algorithm, "parameters": dict(parameters or {}), "seed": seed} | options,
        repeat="unless_received",
    )


def clusterings(collection: str) -> Call[list[results.Clustering]]:
    """All clusterings of the collection. Raises UnknownCollection."""
    path = collection_path(collection, "clusterings")
    return Call("GET", path, records(results.Clustering, "clusterings"))


def clustering(collection: str, name: str) -> Call[results.Clustering]:
    """One clustering with its sizes, medoids and diagnostics. Raises UnknownClustering."""
    return Call("GET", collection_path(collection, "clusterings", name), record(results.Clustering))


def cluster_card(
    collection: str, name: str, label: int, *, exemplars: int = 6
) -> Call[results.ClusterCard]:
    """A cluster's medoid, spread and typical members with maps. Raises UnknownCluster, UnknownClustering."""
    path = collection_path(collection, "clusterings", name, "clusters", str(label))
    return Call("GET", path, record(results.ClusterCard), present(exemplars=exemplars))


def cluster_card_image(
    collection: str, name: str, label: int, *, exemplars: int = 6
) -> Call[bytes]:
    """The card as PNG, drawn from thumbnails. Raises UnknownCluster, UnknownClustering."""
    path = collection_path(collection, "clusterings", name, "clusters", str(label))
    return Call("GET", path, content, present(exemplars=exemplars), accept="image/png")


def delete_clustering(collection: str, name: str) -> Call[None]:
    """Delete a clustering and its labels. Raises UnknownClustering."""
    path = collection_path(collection, "clusterings", name)
    return Call("DELETE", path, nothing, repeat="unless_received")


# -- projections


def project(
    collection: str,
    method: str = "umap",
    parameters: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    dimensions: Literal[2, 3] = 2,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start a projection; `name` defaults to the method and replaces an older run of that name.

    Raises UnknownCollection, InvalidParameters.
    """
    body = {"method": method, "dimensions": dimensions, "parameters": dict(parameters or {})}
    return Call(
        "POST",
        collection_path(collection, "projections"),
        record(results.JobStatus),
        json=body | {"seed": seed} | present(name=name, filter=filter),
        repeat="unless_received",
    )


def projections(collection: str) -> Call[list[results.Projection]]:
    """All projections of the collection, without their points. Raises UnknownCollection."""
    path = collection_path(collection, "projections")
    return Call("GET", path, records(results.Projection, "projections"))


def projection(collection: str, name: str) -> Call[results.ProjectionPoints]:
    """One projection with its points. Raises UnknownProjection."""
    return Call(
        "GET", collection_path(collection, "projections", name), record(results.ProjectionPoints)
    )


def projection_image(collection: str, name: str, *, color: str | None = None) -> Call[bytes]:
    """The map as PNG, coloured by `clusters.<name>` or `metadata.<field>`. Raises UnknownProjection."""
    path = collection_path(collection, "projections", name)
    return Call("GET", path, content, present(color=color), accept="image/png")


def delete_projection(collection: str, name: str) -> Call[None]:
    """Delete a projection. Raises UnknownProjection."""
    path = collection_path(collection, "projections", name)
    return Call("DELETE", path, nothing, repeat="unless_received")


def place(
    collection: str, name: str, images: ImageInput | Iterable[ImageInput]
) -> Call[results.Placements]:
    """Where new images fall on a projection, in order; they are not indexed.

    An image that cannot be used has `error` in its item. Raises InvalidInput, UnknownProjection.
    """
    return Call(
        "POST",
        collection_path(collection, "projections", name, "transform"),
        record(results.Placements),
        files=[("images", file) for file in read_images(images)],
        only_failed=lambda error: results.Placements([results.Placement(0, error=error)]),
    )


# -- trainings


def train_autoencoder(
    collection: str,
    *,
    name: str | None = None,
    dim: int | None = None,
    size: int | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    held_out: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start training an autoencoder on the pictures; what is left out is the service's default.

    `name`, by default "autoencoder", must be free; see `training` for the encoder it gives. Raises
    UnknownCollection, InvalidParameters, InvalidField, TrainingExists.
    """
    options = present(
        name=name,
        dim=dim,
        size=size,
        epochs=epochs,
        patience=patience,
        held_out=held_out,
        batch_size=batch_size,
        learning_rate=learning_rate,
        filter=filter,
    )
    return _train(collection, {"kind": "autoencoder", "seed": seed} | options)


def train_head(
    collection: str,
    field: str,
    *,
    name: str | None = None,
    form: Literal["linear", "mlp"] | None = None,
    dim: int | None = None,
    epochs: int | None = None,
    temperature: float | None = None,
    held_out: float | None = None,
    learning_rate: float | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start training a projection head that brings images with the same label in `field` together.

    `field` is such as "metadata.label". `name`, by default "head", must be free; see `training` for the
    encoder it gives. Raises UnknownCollection, InvalidParameters, InvalidField, TrainingExists.
    """
    options = present(
        name=name,
        form=form,
        dim=dim,
        epochs=epochs,
        temperature=temperature,
        held_out=held_out,
        learning_rate=learning_rate,
        filter=filter,
    )
    return _train(collection, {"kind": "head", "field": field, "seed": seed} | options)


def _train(collection: str, body: dict[str, Any]) -> Call[results.JobStatus]:
    return Call(
        "POST",
        collection_path(collection, "trainings"),
        record(results.JobStatus),
        json=body,
        repeat="unless_received",
    )


def trainings(collection: str) -> Call[list[results.Training]]:
    """All models trained on the collection. Raises UnknownCollection."""
    return Call(
        "GET", collection_path(collection, "trainings"), records(results.Training, "trainings")
    )


def training(collection: str, name: str) -> Call[results.Training]:
    """One trained model; `model` is its encoder spec. Raises UnknownTraining."""
    return Call("GET", collection_path(collection, "trainings", name), record(results.Training))


def training_image(collection: str, name: str) -> Call[bytes]:
    """Held-out pictures above what an autoencoder made of them, as PNG.

    Raises UnknownTraining, NotAcceptable for a head.
    """
    return Call("GET", collection_path(collection, "trainings", name), content, accept="image/png")


def delete_training(collection: str, name: str) -> Call[None]:
    """Delete a trained model. Raises UnknownTraining, and Conflict while a collection is made with it."""
    path = collection_path(collection, "trainings", name)
    return Call("DELETE", path, nothing, repeat="unless_received")
