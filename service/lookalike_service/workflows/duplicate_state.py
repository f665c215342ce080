"""Which contents of a collection were compared with each other, and the pairs that came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lookalike_service.store.protocol import Store

if TYPE_CHECKING:
    from lookalike_service.workflows.duplicate_contents import Contents

_PAIRS = {"first": np.int32, "second": np.int32, "cosine": np.float32, "bits": np.uint8}


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts as a duplicate, and in which space. Pairs found by others say nothing of these."""

    space: str
    near: float
    variant: float
    bits: int


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Contents that were all compared with each other.

    `digests`: uint8 (c, 32), SHA-256; `hashes`: uint64 (c,) where `hashed`, bool (c,); `pairs`: `first` <
    `second`, rows of these, with `cosine` and `bits`. Kept by what contents are and not by ids, so that it
    holds whatever is deleted, renamed or indexed again.
    """

    KIND: ClassVar[str] = "duplicates-compared"

    criteria: Criteria
    digests: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    hashed: NDArray[np.bool_]
    pairs: Mapping[str, NDArray[Any]]

    @classmethod
    def load(cls, store: Store, key: str, criteria: Criteria, *, anew: bool) -> Compared:
        """What was compared by these criteria; nothing if it was by others, or is to be made anew."""
        arrays = None if anew else store.arrays(cls.KIND, key)
        if arrays is None or str(arrays["criteria"]) != _text(criteria):
            pairs = {name: np.zeros(0, dtype) for name, dtype in _PAIRS.items()}
            return cls(
                criteria,
                np.zeros((0, 32), np.uint8),
                np.zeros(0, np.uint64),
                np.zeros(0, np.bool_),
                pairs,
            )
        return cls(
            criteria,
            arrays["digests"],
            arrays["hashes"],
            arrays["hashed"],
            {name: arrays[name] for name in _PAIRS},
        )

    def save(self, store: Store, key: str) -> None:
        """Keep it in place of what was kept before."""
        store.put_document(self.KIND, key, asdict(self.criteria))
        store.put_arrays(
            self.KIND,
            key,
            {
                "criteria": np.array(_text(self.criteria)),
                "digests": self.digests,
                "hashes": self.hashes,
                "hashed": self.hashed,
                **self.pairs,
            },
        )

    def digest_list(self) -> list[bytes]:
        """The digests as bytes."""
        return [row.tobytes() for row in self.digests]

    def hashes_of(self, digests: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """The hashes of some of its contents, and which of them have one."""
        number = {digest: i for i, digest in enumerate(self.digest_list())}
        rows = np.array([number[digest] for digest in digests], np.int64)
        return self.hashes[rows], self.hashed[rows]

    def narrowed(self, contents: Contents) -> Compared:
        """What it knows of the contents that there still are, in their order."""
        number = {row.tobytes(): i for i, row in enumerate(contents.digests[: contents.known])}
        moved = np.array([number.get(digest, -1) for digest in self.digest_list()], np.int64)
        first, second = (moved[self.pairs[name]] for name in ("first", "second"))
        kept = (first >= 0) & (second >= 0)
        pairs = {
            "first": first[kept].astype(np.int32),
            "second": second[kept].astype(np.int32),
            **{name: self.pairs[name][kept] for name in ("cosine", "bits")},
        }
        return self._of(contents, contents.known, pairs)

    def grown(self, contents: Contents, stop: int, pairs: Mapping[str, NDArray[Any]]) -> Compared:
        """With the contents up to `stop`, and the pairs that they are in."""
        whole = {name: np.concatenate([self.pairs[name], pairs[name]]) for name in _PAIRS}
        return self._of(contents, stop, whole)

    def _of(self, contents: Contents, stop: int, pairs: Mapping[str, NDArray[Any]]) -> Compared:
        return Compared(
            self.criteria,
            contents.digests[:stop],
            contents.hashes[:stop],
            contents.hashed[:stop],
            pairs,
        )


def _text(criteria: Criteria) -> str:
    return json.dumps(asdict(criteria), sort_keys=True)
