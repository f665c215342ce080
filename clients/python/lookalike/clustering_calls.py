"""What is done with a clustering once it is made, described once for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from lookalike import results
from lookalike.call import Call, record, saved
from lookalike.errors import InvalidInput
from lookalike.fields import collection_path, present

_FORMATS = ("csv", "jsonl", "parquet", "zip")
ClusterNotes = Mapping[int, str | Mapping[str, str | None]]
"""Names by label, or what to say by label: {"name": …, "description": …}; None takes it away."""


def describe_clusters(
    collection: str,
    name: str,
    clusters: ClusterNotes | None = None,
    *,
    description: str | None = None,
) -> Call[results.Clustering]:
    """Name and describe the clusters of a clustering, and the whole; "" takes its description away.

    `clusters`: {0: "cats", 1: {"name": "dogs", "description": "mostly asleep"}}; what is left out stays.
    Raises UnknownCluster, UnknownClustering, InvalidField.
    """
    said = {
        str(label): {"name": about} if isinstance(about, str) else dict(about)
        for label, about in (clusters or {}).items()
    }
    body: dict[str, Any] = {"clusters": said}
    if description is not None:
        body["description"] = description or None
    path = collection_path(collection, "clusterings", name)
    return Call("PATCH", path, record(results.Clustering), json=body)


def name_clusters(
    collection: str,
    name: str,
    words: Iterable[str] | None = None,
    *,
    template: str | None = None,
    keep: bool | None = None,
) -> Call[results.Naming]:
    """Name clusters by the words, default some 200 common nouns, that suit each better than the others.

    `template`, default "a photo of {}", is what a word is put into. `keep`: leave names that there are, the
    default. Raises UnsupportedText if the collection's encoder embeds no text, UnknownClustering.
    """
    path = collection_path(collection, "clusterings", name, "names")
    listed = None if words is None else list(words)
    body = present(words=listed, template=template, keep=keep)
    return Call("POST", path, record(results.Naming), json=body)


def lineage(collection: str, name: str, later: str) -> Call[results.Lineage]:
    """What became of a clustering's clusters in another one, by the images in both.

    Raises UnknownClustering, InvalidParameters if no image is in both.
    """
    path = collection_path(collection, "clusterings", name, "lineage")
    return Call("GET", path, record(results.Lineage), present(later=later))


def export(
    collection: str,
    name: str,
    path: str | Path,
    *,
    format: Literal["csv", "jsonl", "parquet", "zip"] | None = None,
    label: int | Iterable[int] | None = None,
    images: Literal["any", "original", "thumbnail"] | None = None,
) -> Call[Path]:
    """Write a clustering, or its clusters of these labels, into a file as it comes; the file's path.

    `format` defaults to the path's ending. A zip holds pictures, a folder for each cluster: `images` are
    original files where the service may read them, thumbnails, or `any`, thumbnails where there is no
    original; `images.jsonl` in it lists all. The file appears when it is whole. Raises InvalidInput for an
    ending that is no format, UnknownCluster, UnknownClustering.
    """
    wanted = format or Path(path).suffix.removeprefix(".").lower()
    if wanted not in _FORMATS:
        raise InvalidInput(
            f"{str(path)!r} does not end in a format; allowed: {', '.join(_FORMATS)}, or give 'format'."
        )
    labels = None if label is None else [label] if isinstance(label, int) else list(label)
    return Call(
        "GET",
        collection_path(collection, "clusterings", name, "export"),
        saved,
        present(format=wanted, label=labels, images=images),
        accept="*/*",
        into=Path(path),
    )
