"""Hits of searches: nearest, grouped or diverse, one search at a time or many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike_service.analysis.diversity import maximal_marginal_relevance
from lookalike_service.errors import LookalikeError, Unavailable
from lookalike_service.schemas.search import Hit, HitExplanation, SearchRequest
from lookalike_service.store.protocol import Hit as StoredHit
from lookalike_service.store.protocol import Store
from lookalike_service.workflows.calibration import Judged, Scale
from lookalike_service.workflows.grouping import Scalar, best_groups
from lookalike_service.workflows.ranking import Ranking
from lookalike_service.workflows.sought import DIVERSE_POOL, Sought


@dataclass(frozen=True, slots=True)
class Found:
    """A hit, and the value of `group_by` it was found for."""

    hit: StoredHit
    group: Scalar | None = None


Search = tuple[SearchRequest, Sought]


def find(store: Store, collection: str, request: SearchRequest, sought: Sought) -> list[Found]:
    """The hits of one search, in order. Raises InvalidFilter, InvalidField, UnknownCollection."""
    ranking = Ranking(store, collection, sought, request)
    if request.group_by is not None:
        return list(_grouped(ranking, request.group_by))
    if request.diversity is not None:
        return [Found(hit) for hit in _diverse(ranking, request.diversity)]
    return [Found(hit) for hit in ranking.page(request.limit, request.offset)]


def find_each(
    store: Store, collection: str, searches: Sequence[Search]
) -> list[list[Found] | LookalikeError]:
    """The hits of each search, or its own error. Raises Unavailable for all."""
    outcomes: list[list[Found] | LookalikeError | None] = [None] * len(searches)
    rankings = [Ranking(store, collection, sought, request) for request, sought in searches]
    simple = [i for i, ranking in enumerate(rankings) if _is_one_query(ranking)]
    queries = [rankings[i].query(searches[i][0].limit, searches[i][0].offset) for i in simple]
    try:
        pages = store.query_batch(collection, queries)
    except Unavailable:
        raise
    except LookalikeError:  # of one of them; which, is found by asking each alone
        pages = []
    for i, page in zip(simple, pages, strict=False):
        outcomes[i] = [Found(hit) for hit in page]
    return [
        _alone(store, collection, search) if outcome is None else outcome
        for search, outcome in zip(searches, outcomes, strict=True)
    ]


def _is_one_query(ranking: Ranking) -> bool:
    asked = ranking.request
    return ranking.plain and asked.group_by is None and asked.diversity is None


def _alone(store: Store, collection: str, search: Search) -> list[Found] | LookalikeError:
    try:
        return find(store, collection, *search)
    except Unavailable:
        raise
    except LookalikeError as error:
        return error


def _grouped(ranking: Ranking, field: str) -> Iterator[Found]:
    asked = ranking.request
    count, size = asked.offset + asked.limit, asked.group_size or 1
    for group in best_groups(ranking, field, count, size=size)[asked.offset :]:
        for hit in group.hits:
            yield Found(hit, group.value)


def _diverse(ranking: Ranking, diversity: float) -> list[StoredHit]:
    asked = ranking.request
    pool = ranking.page(DIVERSE_POOL, vectors=True)
    vectors = [hit.vector for hit in pool if hit.vector is not None]
    if not vectors:
        return []
    relevance = np.array([hit.score for hit in pool])
    count = asked.offset + asked.limit
    chosen = maximal_marginal_relevance(np.stack(vectors), relevance, count, diversity=diversity)
    return [pool[row] for row in chosen[asked.offset :]]


def hits_out(
    hits: Sequence[Found],
    scale: Scale | None,
    explanations: Sequence[HitExplanation] | None = None,
) -> list[Hit]:
    """Hits on the wire, with what their scores mean where that is known."""
    scores = [one.hit.score for one in hits]
    judged = [None] * len(hits) if scale is None else scale.judge(scores)
    maps = [None] * len(hits) if explanations is None else explanations
    return [_hit_out(*one) for one in zip(hits, judged, maps, strict=True)]


def _hit_out(found: Found, judged: Judged | None, explanation: HitExplanation | None) -> Hit:
    hit, payload = found.hit, found.hit.payload
    return Hit(
        id=payload["key"],
        score=hit.score,
        source=payload["source"],
        width=payload["width"],
        height=payload["height"],
        metadata=payload["metadata"],
        clusters=payload.get("clusters", {}),
        group=found.group,
        chance=judged and judged.chance,
        expected=judged and judged.expected,
        verdict=judged and judged.verdict,
        explanation=explanation,
    )
