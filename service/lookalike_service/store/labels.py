"""Where the labels of clusterings are kept: beside the points, never in their payload.

Writing the payload of a point takes it out of the HNSW graph, so one re-clustering would cost the
whole index. Points and labels meet again in `reading` and `search`: hits carry them, filters use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lookalike_service.store.filters import Where
from lookalike_service.store.protocol import Hit, Record

T = TypeVar("T", Hit, Record)
LabelsOf = Mapping[str, dict[str, int]]
"""{id: {clustering: label}} of points that have any."""

_CONFIDENCE = "@confidence"
CERTAIN = 10_000
"""The label of a confidence of 1."""


def confidence_of(clustering: str) -> str:
    """The name under which the confidence of a clustering's labels is kept, as labels 0 to CERTAIN.

    Only of images labelled after the clustering was made. No caller's name has an @.
    """
    return clustering + _CONFIDENCE


def read_labels(labels: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """A point's labels as its payload shows them: `clusters`, and `confidences` (0 to 1) if any."""
    clusters = {name: label for name, label in labels.items() if not name.endswith(_CONFIDENCE)}
    confidences = {
        name.removesuffix(_CONFIDENCE): label / CERTAIN
        for name, label in labels.items()
        if name.endswith(_CONFIDENCE)
    }
    return {"clusters": clusters} | ({"confidences": confidences} if confidences else {})


def labelled(item: T, labels: LabelsOf) -> T:
    """A hit or record with its labels in the payload."""
    of_item = labels.get(item.id)
    return item if not of_item else replace(item, payload=item.payload | read_labels(of_item))


class LabelView(Protocol):
    """The labels of one collection as one call sees them."""

    def where(self, where: Where) -> Where:
        """The filter as the engine can apply it."""

    def of(self, ids: Sequence[str]) -> dict[str, dict[str, int]] | None:
        """{id: {clustering: label}} of those that have any.

        None if the filter of this view saw other labels: then the call must be made again.
        """

    def counts(self, clustering: str) -> dict[int, int]:
        """How many points hold each label; what `of` gives afterwards are these labels, or None."""


class Labels(Protocol):
    """The labels of all collections. Thread-safe; a write is seen whole or not at all."""

    def view(self, name: str) -> LabelView:
        """The labels of a collection, for one call."""

    def write(
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        """Set the labels of these ids, int64 (n,); other ids keep theirs, or with `replace` lose them."""

    def drop(self, name: str, clustering: str) -> None:
        """Remove all labels of a clustering."""

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """Remove all labels of these ids."""

    def drop_collection(self, name: str) -> None:
        """Remove all labels of a collection."""

    def close(self) -> None:
        """Release everything."""
