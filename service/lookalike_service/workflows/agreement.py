"""A clustering against a field of the metadata: how far its clusters are the field's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.agreement import Agreement, find_holding, measure_agreement
from lookalike_service.analysis.composition import measure_independence
from lookalike_service.errors import InvalidField
from lookalike_service.schemas.clusterings import (
    AgreementOut,
    HoldingOut,
    IndependenceOut,
    MatchedValue,
)
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering
from lookalike_service.workflows.metadata_values import metadata_values

_MOST_VALUES = 1_000


def compare(
    store: Store,
    collection: str,
    name: str,
    field: str,
    *,
    value: str | None,
    precision_weight: float,
) -> AgreementOut:
    """Compare the labels a run gave with `metadata.*` values; a list counts as its first value.

    `value`: also find the clusters that hold it. Raises InvalidField if no image has the field, or
    more than 1,000 values differ, InvalidParameters for a value that no image has, UnknownClustering,
    UnknownCollection.
    """
    run, arrays = clustering.load(store, collection, name)
    values = _values(store, collection, arrays, field)
    if not values:
        raise InvalidField(f"No image of clustering '{name}' has a value in '{field}'.")
    if (differing := len({text for _, text in values})) > _MOST_VALUES:
        raise InvalidField(
            f"'{field}' has {differing} values; clusters are compared with at most {_MOST_VALUES}."
        )
    labels = np.array([label for label, _ in values], dtype=np.int64)
    found = measure_agreement(labels, [text for _, text in values])
    independence = measure_independence(found.confusion, seed=run.seed)
    return AgreementOut(
        field=field,
        points=len(values),
        without=run.points - len(values),
        clusters=found.clusters,
        values=found.classes,
        confusion=found.confusion.tolist(),
        matching=[MatchedValue(label=label, value=text) for label, text in found.matching.items()],
        figures=found.figures,
        holding=None if value is None else _holding(found, value, precision_weight),
        independence=None if independence is None else IndependenceOut(**asdict(independence)),
    )


def _holding(found: Agreement, value: str, precision_weight: float) -> HoldingOut:
    held = find_holding(found, value, precision_weight=precision_weight)
    return HoldingOut(value=value, **asdict(held))


def _values(
    store: Store, collection: str, arrays: Mapping[str, NDArray[Any]], field: str
) -> list[tuple[int, str]]:
    """Label and value of every image of the run that is still there and has one."""
    ids = arrays["ids"].tolist()
    labels = dict(zip(ids, arrays["labels"].tolist(), strict=True))
    values = metadata_values(store, collection, ids, field)
    return [(labels[id], value) for id, value in values.items()]
