"""Searches of one collection and what goes with them, described once for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from lookalike import results
from lookalike.call import Call, record
from lookalike.errors import InvalidInput
from lookalike.fields import Filter, as_json, collection_path, present
from lookalike.images import ImageInput, read_image

Example = str | Iterable[float]
"""The id of an indexed image, or a vector."""
RegionInput = results.Region | Sequence[float]
"""A region, or its left, top, width and height, in pixels of the upright image."""


def search(
    collection: str,
    image: ImageInput | None = None,
    *,
    id: str | None = None,
    vector: Iterable[float] | None = None,
    text: str | None = None,
    positive: Iterable[Example] | None = None,
    negative: Iterable[Example] | None = None,
    strategy: Literal["average_vector", "best_score"] | None = None,
    region: RegionInput | None = None,
    limit: int = 10,
    offset: int = 0,
    score_threshold: float | None = None,
    filter: Filter | None = None,
    group_by: str | None = None,
    group_size: int | None = None,
    diversity: float | None = None,
    exact: bool = False,
    ef: int | None = None,
    explain: Literal["none", "similarity"] = "none",
    faithfulness: bool = False,
) -> Call[results.SearchResult]:
    """The images most like an image, an indexed image `id`, a vector, a text, or `positive` examples.

    Indexed images that are named in a query are left out of its hits. `strategy` says what several examples
    mean: near 2 mean(positive) - mean(negative), the default, or `best_score`, near any positive and nearer
    to it than to any negative. `region` searches by a part of the image, of an indexed one by a part of its
    thumbnail. `group_by` keeps the best `group_size` hits, 1 by default, for each value of a field; `limit`
    and `offset` then count groups. `diversity`, 0 to 1, avoids hits that are like each other. `exact`
    compares with every image; `ef` is the effort of a search of the graph.

    Raises InvalidInput unless given exactly one query, ImageError, UnknownCollection, UnknownImage,
    WrongDimension, InvalidVector, InvalidField, InvalidFilter, UnsupportedText.
    """
    if sum(query is not None for query in (image, id, vector, text, positive)) != 1:
        raise InvalidInput(
            "search() takes an image, id, vector, text or positive: exactly one of them."
        )
    path, parse = collection_path(collection, "search"), record(results.SearchResult)
    options = present(
        limit=limit,
        offset=offset,
        score_threshold=score_threshold,
        group_by=group_by,
        group_size=group_size,
        diversity=diversity,
        exact=exact or None,
        ef=ef,
    )
    if explain != "none":
        options |= {"explain": explain, "faithfulness": faithfulness}
    part = None if region is None else _region(region)
    examples = present(
        positive=_examples("positive", positive),
        negative=_examples("negative", negative),
        strategy=strategy,
    )
    if image is not None:
        if examples:
            raise InvalidInput(f"{', '.join(examples)}: not together with an image.")
        edges = part and ",".join(str(value) for value in part.values())
        query = options | present(filter=as_json(filter), region=edges)
        return Call("POST", path, parse, query, files=[("image", read_image(image))])
    floats = None if vector is None else [float(value) for value in vector]
    body = examples | present(id=id, vector=floats, text=text, region=part, filter=filter)
    return Call("POST", path, parse, json=options | body)


def search_batch(
    collection: str, searches: Iterable[Mapping[str, Any]]
) -> Call[results.SearchBatch]:
    """Up to 100 searches in one call, in order; each is a mapping of the keywords of `search`.

    Images and `explain` are not possible here. A search that is wrong has `error` in its item. Raises
    InvalidInput, UnknownCollection.
    """
    bodies = [_body(collection, i, keywords) for i, keywords in enumerate(searches)]
    return Call(
        "POST",
        collection_path(collection, "search", "batch"),
        record(results.SearchBatch),
        json={"searches": bodies},
    )


def _body(collection: str, index: int, keywords: Mapping[str, Any]) -> Any:
    if "image" in keywords:
        raise InvalidInput(f"Search {index}: an image cannot be sent in a batch; search alone.")
    try:
        return search(collection, **keywords).json
    except (TypeError, InvalidInput) as error:
        raise InvalidInput(f"Search {index}: {error}") from error


def _examples(name: str, examples: Iterable[Example] | None) -> list[str | list[float]] | None:
    if examples is None:
        return None
    if isinstance(examples, str):
        raise InvalidInput(f"'{name}' must be a list of ids or vectors.")
    return [one if isinstance(one, str) else [float(value) for value in one] for one in examples]


def _region(region: RegionInput) -> dict[str, float]:
    if isinstance(region, results.Region):
        edges: Sequence[float] = (region.left, region.top, region.width, region.height)
    else:
        edges = region
    if len(edges) != 4:
        raise InvalidInput("'region' is a Region, or its left, top, width and height.")
    names = ("left", "top", "width", "height")
    return {name: float(value) for name, value in zip(names, edges, strict=True)}


def facets(
    collection: str, field: str, *, filter: Filter | None = None, limit: int = 100
) -> Call[results.Facets]:
    """The values of `clusters.NAME` or an indexed metadata field, with how many images hold each.

    Raises UnknownCollection, InvalidField, InvalidFilter.
    """
    query = present(field=field, filter=as_json(filter), limit=limit)
    return Call("GET", collection_path(collection, "facets"), record(results.Facets), query)


def calibrate(collection: str, *, seed: int = 0) -> Call[results.JobStatus]:
    """Start measuring how alike unrelated images are; from then on each hit says what its score means.

    Raises UnknownCollection, InvalidParameters for fewer than 50 images.
    """
    return Call(
        "POST",
        collection_path(collection, "calibration"),
        record(results.JobStatus),
        json={"seed": seed},
        repeat="unless_received",
    )


def calibration(collection: str) -> Call[results.Calibration]:
    """What the collection's scores mean. Raises UnknownCollection, UnknownCalibration."""
    path = collection_path(collection, "calibration")
    return Call("GET", path, record(results.Calibration))
