"""Clusterings and projections of one collection, described once for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from lookalike import results
from lookalike.call import Call, content, nothing, record, records
from lookalike.fields import Filter, as_json, collection_path, present
from lookalike.images import ImageInput, read_images


def cluster(
    collection: str,
    algorithm: str = "kmeans",
    parameters: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    reduction: str | None = None,
    criterion: str | None = None,
    stability: int | None = None,
    filter: Filter | None = None,
    seed: int = 0,
    follow: bool | None = None,
) -> Call[results.JobStatus]:
    """Start a clustering; `name` defaults to the algorithm and replaces an older run of that name.

    `reduction`, such as "pca:50", comes first. `parameters["k"]` may be a range such as [2, 20], from
    which one is chosen by `criterion`: silhouette (default), elbow, calinski_harabasz, davies_bouldin
    or gap. `stability`: measure the clusters' stability with so many bootstrap samples. `follow`: label
    images that are indexed later too, the default. Raises UnknownCollection, InvalidParameters.
    """
    options = present(
        name=name,
        reduction=reduction,
        criterion=criterion,
        stability=stability,
        filter=filter,
        follow=follow,
    )
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


def clustering_plot(collection: str, name: str) -> Call[bytes]:
    """What spoke for each k, as PNG. Raises UnknownClustering, InvalidParameters if k was not a range."""
    return Call(
        "GET", collection_path(collection, "clusterings", name), content, accept="image/png"
    )


def agreement(
    collection: str,
    name: str,
    field: str,
    *,
    value: str | None = None,
    precision_weight: float | None = None,
) -> Call[results.Agreement]:
    """A clustering against a metadata field, such as "metadata.label".

    With `value` also the clusters that hold it, judged by precision_weight * precision + the rest * recall.
    Raises UnknownClustering, InvalidField, InvalidParameters.
    """
    path = collection_path(collection, "clusterings", name, "agreement")
    query = present(field=field, value=value, precision_weight=precision_weight)
    return Call("GET", path, record(results.Agreement), query)


def assign(
    collection: str, name: str, images: ImageInput | Iterable[ImageInput]
) -> Call[results.Assignments]:
    """The clusters of new images, in order, with a confidence; they are not indexed.

    An image that cannot be used has `error` in its item. Raises InvalidInput, UnknownClustering.
    """
    return Call(
        "POST",
        collection_path(collection, "clusterings", name, "assign"),
        record(results.Assignments),
        files=[("images", file) for file in read_images(images)],
        only_failed=lambda error: results.Assignments([results.Assignment(0, error=error)]),
    )


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

_PICTURES = {"png": "image/png", "svg": "image/svg+xml"}


def project(
    collection: str,
    method: str = "umap",
    parameters: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    dimensions: Literal[2, 3] = 2,
    reduction: str | None = "auto",
    align_to: str | None = None,
    label_field: str | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start a projection: pca, umap, densmap, supervised_umap, tsne or pacmap.

    `name` defaults to the method and replaces an older run of that name. `reduction` comes first: "auto" is
    PCA to 50 where that is measured to be good enough. `align_to`: a projection on which images shall stay
    where they are as far as they can. `label_field`, such as "metadata.label": the map is measured by
    it. Raises UnknownCollection, UnknownProjection, InvalidParameters.
    """
    body = {"method": method, "dimensions": dimensions, "parameters": dict(parameters or {})}
    options = present(name=name, align_to=align_to, label_field=label_field, filter=filter)
    return Call(
        "POST",
        collection_path(collection, "projections"),
        record(results.JobStatus),
        json=body | {"seed": seed, "reduction": reduction} | options,
        repeat="unless_received",
    )


def projections(collection: str) -> Call[list[results.Projection]]:
    """All projections of the collection, without their points. Raises UnknownCollection."""
    path = collection_path(collection, "projections")
    return Call("GET", path, records(results.Projection, "projections"))


def projection(
    collection: str, name: str, *, columns: Sequence[str] = (), filter: Filter | None = None
) -> Call[results.ProjectionPoints]:
    """One projection with its points, or those that match; images indexed since it was made are on it too.

    `columns` are fields to tell of each, such as "clusters.kmeans" or "metadata.label". Raises
    UnknownProjection, InvalidField, InvalidFilter.
    """
    path = collection_path(collection, "projections", name)
    return Call("GET", path, record(results.ProjectionPoints), _points(columns, filter))


def projection_arrow(
    collection: str, name: str, *, columns: Sequence[str] = (), filter: Filter | None = None
) -> Call[bytes]:
    """The same as an Arrow IPC stream, for `pyarrow.ipc.open_stream`. Raises as `projection`."""
    path = collection_path(collection, "projections", name)
    return Call(
        "GET",
        path,
        content,
        _points(columns, filter),
        accept="application/vnd.apache.arrow.stream",
    )


def projection_image(
    collection: str,
    name: str,
    *,
    color: str | None = None,
    thumbnails: bool = False,
    format: Literal["png", "svg"] = "png",
) -> Call[bytes]:
    """The map as PNG or SVG, coloured by `clusters.<name>`, `metadata.<field>` or its `distortion`.

    Or as a PNG made of `thumbnails`. Raises UnknownProjection, InvalidField.
    """
    path = collection_path(collection, "projections", name)
    query = present(color=color, thumbnails=thumbnails or None)
    return Call("GET", path, content, query, accept=_PICTURES[format])


def _points(columns: Sequence[str], filter: Filter | None) -> dict[str, Any]:
    return present(columns=",".join(columns) or None, filter=as_json(filter))


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
