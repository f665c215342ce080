"""What a search looks for: its examples as vectors, and what it may and may not be combined with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.recommendation import average_vector
from lookalike_service.errors import InvalidField, UnknownImage
from lookalike_service.schemas.search import Example, SearchRequest
from lookalike_service.spaces import Space
from lookalike_service.store.point_checks import unit_vector
from lookalike_service.store.protocol import Record, Store, Vector, point_id
from lookalike_service.workflows.filter_load import check_filters

EXPLAINED_HITS = 50
DIVERSE_POOL = 100
"""Candidates that diversity chooses among; the same for all pages, so that they fit together."""
DEEPEST_GROUPS = 1000
EXAMPLE_VECTORS = 10_000
"""Neighbours of all positives together that `best_score` reads at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """The likes of `positive`, and of `negative` rather not: float32 (n, dim), unit L2 norm.

    `left_out`: ids of images that are no hits. Only `best_score` has several positives, or any negative.
    """

    positive: Points
    negative: Points
    left_out: tuple[str, ...] = ()

    @property
    def vector(self) -> Vector:
        """The only positive, (dim,)."""
        (vector,) = self.positive
        return np.asarray(vector)


def check(request: SearchRequest, *, image: bool = False) -> None:
    """Raise InvalidField for a search that says too little or too much; `image`: one is posted with it."""
    queries = (request.image, request.id, request.vector, request.text, request.positive)
    if not image and sum(query is not None for query in queries) != 1:
        raise InvalidField(
            "Give exactly one of 'image', 'id', 'vector', 'text' and 'positive' (or post an image)."
        )
    for name, given, needed, there in (
        ("negative", request.negative, "positive", request.positive),
        ("strategy", request.strategy, "positive", request.positive),
        ("group_size", request.group_size, "group_by", request.group_by),
        ("region", request.region, "an image or 'id'", image or request.image or request.id),
    ):
        if given is not None and not there:
            raise InvalidField(f"'{name}' goes with {_quoted(needed)}, which is missing.")
    if request.exact and request.ef is not None:
        raise InvalidField("An exact search compares with every image: leave 'ef' out.")
    _check_pages(request)
    if request.explain != "none":
        _check_explained(request)


def _check_pages(request: SearchRequest) -> None:
    deepest, size = request.offset + request.limit, request.group_size or 1
    if request.group_by is not None and request.diversity is not None:
        raise InvalidField("'group_by' and 'diversity' cannot be combined; leave one of them out.")
    if request.diversity is not None and deepest > DIVERSE_POOL:
        raise InvalidField(
            f"With 'diversity', 'offset' and 'limit' reach {deepest}; hits are chosen among the "
            f"{DIVERSE_POOL} nearest, so at most {DIVERSE_POOL} in all are possible."
        )
    if request.group_by is not None and max(deepest, request.limit * size) > DEEPEST_GROUPS:
        raise InvalidField(
            f"With 'group_by', 'offset' + 'limit' and 'limit' × 'group_size' may be {DEEPEST_GROUPS} at "
            f"most, not {deepest} and {request.limit * size}."
        )
    examples = len(request.positive or [])
    if request.strategy == "best_score" and examples * deepest > EXAMPLE_VECTORS:
        raise InvalidField(
            f"'best_score' reads 'offset' + 'limit' neighbours of each positive, {EXAMPLE_VECTORS} in all at "
            f"most: with {examples} positives the two may be {EXAMPLE_VECTORS // examples}, not {deepest}."
        )


def _check_explained(request: SearchRequest) -> None:
    hits = request.limit * (request.group_size or 1)
    if hits > EXPLAINED_HITS:
        raise InvalidField(
            f"At most {EXPLAINED_HITS} hits are explained in a search, and {hits} are asked for: "
            "lower 'limit'."
        )
    if request.strategy == "best_score":
        raise InvalidField(
            "A search by 'best_score' has no one query that its hits could be explained by; "
            "use 'average_vector', or leave 'explain' out."
        )


def _quoted(name: str) -> str:
    return name if "'" in name else f"'{name}'"


def looked_up(
    store: Store, collection: str, requests: Sequence[SearchRequest]
) -> dict[str, Record]:
    """The indexed images that searches name, with their vectors, by id; without those that are not there.

    Raises InvalidFilter if the searches' filters are too much for the store together.
    """
    check_filters(requests)
    ids = {id for request in requests for id in named(request)}
    if not ids:
        return {}
    found = store.retrieve(collection, [point_id(id) for id in sorted(ids)], vectors=True)
    return {str(record.payload["key"]): record for record in found}


def named(request: SearchRequest) -> list[str]:
    """The ids of indexed images in a search's query."""
    examples = [*(request.positive or []), *(request.negative or [])]
    ids = [example for example in examples if isinstance(example, str)]
    return ids if request.id is None else [request.id, *ids]


def sought(
    request: SearchRequest,
    collection: str,
    space: Space,
    records: Mapping[str, Record],
    *,
    embedded: Vector | None = None,
) -> Sought:
    """The query of a search; `embedded` is that of its image, region or text, where it has one.

    Raises UnknownImage, WrongDimension, InvalidVector naming the example.
    """

    def vectors(name: str, examples: Sequence[Example]) -> Points:
        rows = [
            _vector(example, f"'{name}' item {i}", collection, space, records)
            for i, example in enumerate(examples)
        ]
        return np.stack(rows) if rows else np.empty((0, space.dim), np.float32)

    left_out, none = tuple(dict.fromkeys(named(request))), vectors("negative", [])
    if embedded is not None:
        return Sought(unit_vector(embedded, space, "the query")[None], none, left_out)
    if request.positive is None:
        query = request.id if request.id is not None else request.vector or []
        vector = _vector(query, "the query", collection, space, records)
        return Sought(vector[None], none, left_out)
    positive = vectors("positive", request.positive)
    negative = vectors("negative", request.negative or [])
    if request.strategy == "best_score":
        return Sought(positive, negative, left_out)
    average = np.asarray(average_vector(positive, negative), np.float32)
    return Sought(unit_vector(average, space, "the examples together")[None], none, left_out)


def _vector(
    example: Example, whose: str, collection: str, space: Space, records: Mapping[str, Record]
) -> Vector:
    if not isinstance(example, str):
        return unit_vector(np.asarray(example, np.float64), space, whose)
    record = records.get(example)
    if record is None or record.vector is None:
        raise UnknownImage(f"No image '{example}' in collection '{collection}'.")
    return record.vector
