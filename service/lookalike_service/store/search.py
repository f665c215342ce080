"""Searches for the points nearest to a vector: what is asked of the engine, and what of its hits is kept.

Engines break ties as they like. So every search goes on past all that tie with the last hit asked for, and
ties are put in id order here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lookalike_service.errors import InvalidField
from lookalike_service.spaces import Space
from lookalike_service.store.engine import Engine, Nearest
from lookalike_service.store.fields import checked_filter
from lookalike_service.store.filters import Where
from lookalike_service.store.label_search import with_labels, without_labels
from lookalike_service.store.labels import Labels, LabelView, labelled
from lookalike_service.store.left_out import without_left_out
from lookalike_service.store.point_checks import check_page, unit_vector
from lookalike_service.store.protocol import THUMBNAIL, Collection, Hit, Query

_BATCH = 16  # searches of others get in between
_LARGEST_EF = 10_000


def search(
    engine: Engine, labels: Labels, at: Collection, queries: Sequence[Query]
) -> list[list[Hit]]:
    """See `Store.query_batch`."""
    asked = [_asked(query, at.space, checked_filter(engine, at, query.filter)) for query in queries]
    while True:
        view = labels.view(at.name)
        found = _found(engine, at, view, asked)
        if found is None:
            continue
        pages = [_page(query, hits) for query, hits in zip(queries, found, strict=True)]
        of_hits = view.of([hit.id for page in pages for hit in page])
        if of_hits is not None:
            return [[labelled(hit, of_hits) for hit in page] for page in pages]


def _asked(query: Query, space: Space, where: Where) -> Nearest:
    """What the engine is asked for. Raises for what no engine could answer."""
    check_page(query.limit, query.offset)
    if query.ef is not None and not 1 <= query.ef <= _LARGEST_EF:
        raise InvalidField(f"ef must be between 1 and {_LARGEST_EF}, not {query.ef}")
    return Nearest(
        unit_vector(query.vector, space, "the query"),
        where,
        query.offset + query.limit,
        vectors=query.vectors,
        exact=query.exact,
        ef=query.ef,
    )


def _found(
    engine: Engine, at: Collection, view: LabelView, asked: Sequence[Nearest]
) -> list[list[Hit]] | None:
    """The hits of each query; None if the labels changed meanwhile."""
    answers: list[list[Hit] | None] = [None] * len(asked)
    wider = {i: wide for i, one in enumerate(asked) if (wide := without_labels(one, view))}
    found = zip(wider.items(), _nearest(engine, at, [*wider.values()]), strict=True)
    for (i, wide), hits in found:
        of_hits = view.of([hit.id for hit in hits])
        if of_hits is None:
            return None
        answers[i] = with_labels(asked[i], wide, hits, of_hits)
    left = [i for i, answer in enumerate(answers) if answer is None]
    by_ids = [replace(asked[i], where=view.where(asked[i].where)) for i in left]
    for i, hits in zip(left, _nearest(engine, at, by_ids), strict=True):
        answers[i] = hits
    return [answer for answer in answers if answer is not None]


def _nearest(engine: Engine, at: Collection, asked: Sequence[Nearest]) -> list[list[Hit]]:
    """Each query's hits and all those tied with the last."""
    answers: list[list[Hit]] = [[] for _ in asked]
    searches = [without_left_out(one) for one in asked]
    pending = {i: one.limit + len(ids) + 1 for i, (one, ids) in enumerate(searches)}
    while pending:
        some = list(pending.items())[:_BATCH]
        found = engine.nearest(
            at.stored_as,
            [replace(searches[i][0], limit=wanted) for i, wanted in some],
            vector=at.space.id,
            without=(THUMBNAIL,),
        )
        for (i, wanted), raw in zip(some, found, strict=True):
            left_out = searches[i][1]
            found_here = [hit for hit in raw if hit.id not in left_out]
            hits = [replace(hit, score=_cosine(hit.score)) for hit in found_here]
            answers[i] = hits
            if len(raw) < wanted or hits[-1].score < hits[asked[i].limit - 1].score:
                del pending[i]
            else:
                pending[i] = 2 * wanted
    return answers


def _page(query: Query, hits: Sequence[Hit]) -> list[Hit]:
    """The hits asked for, in order, of those found."""
    if query.score_threshold is not None:
        hits = [hit for hit in hits if hit.score >= query.score_threshold]
    end = query.offset + query.limit
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[query.offset : end]


def _cosine(score: float) -> float:
    """Within [-1, 1], to the six decimals that float32 arithmetic can vouch for.

    The same vector stored twice may score differently in the last bit.
    """
    return round(min(1.0, max(-1.0, score)), 6)
