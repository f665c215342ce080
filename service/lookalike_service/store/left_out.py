"""Searches that leave out a few points by id, such as the image that the neighbours are of.

A filter makes an engine search harder, and count first how many points match. Asking for a few hits more,
and dropping those that are not wanted, finds the same.
"""

from __future__ import annotations

from dataclasses import replace

from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import HasId

_FEW = 100


def without_left_out(asked: Nearest) -> tuple[Nearest, frozenset[str]]:
    """The search without the ids that its `must_not` names, and these; as it is where they are many."""
    named = [one for one in asked.where.must_not if isinstance(one, HasId)]
    ids = frozenset(id for one in named for id in one.ids)
    if not ids or len(ids) > _FEW:
        return asked, frozenset()
    others = tuple(one for one in asked.where.must_not if not isinstance(one, HasId))
    return replace(asked, where=replace(asked.where, must_not=others)), ids
