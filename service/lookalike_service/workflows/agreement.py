"""A clustering against a field of the metadata: how far its clusters are the field's values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from lookalike_service.analysis.agreement import Agreement, find_holding, measure_agreement
from lookalike_service.analysis.composition import measure_independence
from lookalike_service.errors import InvalidField, UnknownClustering
from lookalike_service.schemas.clusterings import (
    AgreementOut,
    HoldingOut,
    IndependenceOut,
    MatchedValue,
)
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering, runs

_PAGE = 1_000
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
    run = clustering.get(store, collection, name)
    values = _values(store, collection, name, field)
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


def _values(store: Store, collection: str, name: str, field: str) -> list[tuple[int, str]]:
    """Label and value of every image of the run that is still there and has one."""
    group, _, path = field.partition(".")
    if group != "metadata" or not path:
        raise InvalidField(
            f"field is '{field}'; allowed: a field of the metadata as metadata.NAME."
        )
    arrays = store.arrays(clustering.KIND, runs.key(collection, name))
    if arrays is None:
        raise UnknownClustering(f"Clustering '{name}' of '{collection}' was just removed.")
    ids = arrays["ids"].tolist()
    labels = dict(zip(ids, arrays["labels"].tolist(), strict=True))
    found = [
        (labels[record.id], _value(record.payload["metadata"], path))
        for first in range(0, len(ids), _PAGE)
        for record in store.retrieve(collection, ids[first : first + _PAGE])
    ]
    return [(label, str(value)) for label, value in found if value is not None]


def _value(metadata: dict[str, Any], path: str) -> Any:
    """The value at `path`, which may lead into nested objects; None where there is none."""
    value: Any = metadata
    if path in metadata:
        value = metadata[path]
    else:
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list):
        value = value[0] if value else None
    return None if isinstance(value, dict) else value
