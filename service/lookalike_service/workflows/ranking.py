"""The images of a collection in the order of a search, as far down as is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lookalike_service.analysis.recommendation import best_scores
from lookalike_service.schemas.search import SearchRequest
from lookalike_service.store.protocol import Filter, Hit, Query, Store
from lookalike_service.workflows.sought import EXAMPLE_VECTORS, Sought


@dataclass(frozen=True, slots=True)
class Ranking:
    """The order that a search puts a collection's images in; pages of it can be read."""

    store: Store
    collection: str
    sought: Sought
    request: SearchRequest

    def page(self, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Hit]:
        """The hits from `offset` on."""
        if self.plain:
            query = self.query(limit, offset, vectors=vectors)
            return self.store.query_batch(self.collection, [query])[0]
        return self._best_scored([None], offset + limit)[0][offset:]

    def best_of_each(self, narrower: Sequence[Filter], limit: int) -> list[list[Hit]]:
        """The best hits that match each of these filters beside the search's own."""
        if self.plain:
            queries = [self.query(limit, narrower=one) for one in narrower]
            return self.store.query_batch(self.collection, queries)
        return self._best_scored(narrower, limit)

    def query(
        self,
        limit: int,
        offset: int = 0,
        *,
        vectors: bool = False,
        narrower: Filter | None = None,
    ) -> Query:
        """A search by the first positive as the store takes it; hits that are explained have vectors."""
        asked = self.request
        return Query(
            self.sought.positive[0],
            limit,
            offset,
            self._filter(narrower),
            asked.score_threshold,
            vectors or asked.explain != "none",
            asked.exact,
            asked.ef,
        )

    @property
    def plain(self) -> bool:
        """Whether one query to the store says it all."""
        return len(self.sought.positive) == 1 and len(self.sought.negative) == 0

    def _best_scored(self, narrower: Sequence[Filter | None], limit: int) -> list[list[Hit]]:
        return [self._best_scored_one(one, limit) for one in narrower]

    def _best_scored_one(self, narrower: Filter | None, limit: int) -> list[Hit]:
        """The hits by their nearest positive.

        Any image among the best `wanted` by that score is among the `wanted` nearest of its nearest positive,
        so these together hold them all; then those nearer to a negative go.
        """
        sought, wanted = self.sought, limit
        deepest = max(limit, EXAMPLE_VECTORS // len(sought.positive))
        while True:
            query = self.query(wanted, vectors=True, narrower=narrower)
            found = self.store.query_batch(
                self.collection, [replace(query, vector=vector) for vector in sought.positive]
            )
            ranked = self._by_best_score({hit.id: hit for hits in found for hit in hits})
            kept = [hit for hit, wins in ranked[:wanted] if wins]
            exhausted = all(len(hits) < wanted for hits in found)
            if len(kept) >= limit or exhausted or wanted == deepest:
                return kept[:limit]
            wanted = min(4 * wanted, deepest)

    def _by_best_score(self, pool: dict[str, Hit]) -> list[tuple[Hit, bool]]:
        hits = [hit for hit in pool.values() if hit.vector is not None]
        if not hits:
            return []
        vectors = np.stack([hit.vector for hit in hits if hit.vector is not None])
        scores, wins = best_scores(vectors, self.sought.positive, self.sought.negative)
        ranked = [
            (replace(hit, score=round(min(score, 1.0), 6)), win)
            for hit, score, win in zip(hits, scores.tolist(), wins.tolist(), strict=True)
        ]
        return sorted(ranked, key=lambda pair: (-pair[0].score, pair[0].id))

    def _filter(self, narrower: Filter | None) -> Filter | None:
        must = [one for one in (self.request.filter, narrower) if one]
        if not self.sought.left_out:
            return {"must": must} if len(must) > 1 else next(iter(must), None)
        left_out: list[Any] = [{"has_id": list(self.sought.left_out)}]
        return {"must": must, "must_not": left_out}
