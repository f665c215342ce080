"""Groups of duplicates, a page at a time, and what leaks between the values of a field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.duplicates.analyse import EXACT, NEAR, NO_BITS, VARIANT
from lookalike_service.errors import InvalidField
from lookalike_service.schemas.duplicates import (
    Duplicate,
    DuplicateGroup,
    DuplicateGroups,
    DuplicateKind,
    DuplicatesOut,
    LeakageBetween,
    LeakageOut,
    LeakingPair,
)
from lookalike_service.store.protocol import Store
from lookalike_service.workflows.duplicates import load
from lookalike_service.workflows.metadata_values import metadata_values

_MOST_SHOWN = 1_000
_PAGE = 1_000
_NUMBERS: Mapping[DuplicateKind, int] = {"exact": EXACT, "near": NEAR, "variant": VARIANT}
Arrays = Mapping[str, NDArray[Any]]


def groups(
    store: Store,
    collection: str,
    name: str,
    *,
    kind: DuplicateKind | None,
    across: str | None,
    limit: int,
    offset: int,
) -> DuplicateGroups:
    """A page of groups, the largest first; those of fewer than two images that are still there are left out.

    `kind`: those alone with a duplicate of this kind; `across`: those whose images have several values of
    this metadata field. Raises InvalidField for what is no such field, UnknownDuplicates, UnknownCollection.
    """
    _, arrays = load(store, collection, name)
    number = arrays["group"]
    wanted = np.unique(number[number >= 0])
    if kind is not None:
        wanted = np.intersect1d(wanted, number[arrays["kind"] == _NUMBERS[kind]])
    if across is not None:
        wanted = np.intersect1d(wanted, _spanning(store, collection, arrays, across))
    page = wanted[offset : offset + limit]
    rows = np.flatnonzero(np.isin(number, page))
    payloads = _payloads(store, collection, arrays["ids"][rows].tolist())
    found = (_group(arrays, np.flatnonzero(number == one), payloads) for one in page.tolist())
    return DuplicateGroups(total=len(wanted), groups=[one for one in found if one is not None])


def _payloads(store: Store, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        record.id: record.payload
        for start in range(0, len(ids), _PAGE)
        for record in store.retrieve(collection, ids[start : start + _PAGE])
    }


def _group(
    arrays: Arrays, rows: NDArray[np.intp], payloads: Mapping[str, dict[str, Any]]
) -> DuplicateGroup | None:
    """The group in these rows, the representative first; None if it is gone, or nothing else is left."""
    ids = arrays["ids"][rows].tolist()
    leader = payloads.get(ids[0])
    members = [
        _duplicate(arrays, row, payloads[id])
        for row, id in zip(rows[1:].tolist(), ids[1:], strict=True)
        if id in payloads
    ]
    if leader is None or not members:
        return None
    return DuplicateGroup(
        number=int(arrays["group"][rows[0]]),
        representative=leader["key"],
        **_picture(leader),
        size=len(members) + 1,
        duplicates=members[:_MOST_SHOWN],
    )


def _duplicate(arrays: Arrays, row: int, payload: Mapping[str, Any]) -> Duplicate:
    return Duplicate(
        id=payload["key"],
        kind=kind_name(int(arrays["kind"][row])),
        cosine=round(float(arrays["cosine"][row]), 6),
        bits=bits_or_none(int(arrays["bits"][row])),
        **_picture(payload),
    )


def _picture(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in ("source", "width", "height", "format")}


def kind_name(kind: int) -> DuplicateKind:
    """The name of a kind that arrays hold as a number."""
    names: tuple[DuplicateKind, ...] = ("exact", "near", "variant")
    return names[kind - 1]


def bits_or_none(bits: int) -> int | None:
    """The number of bits that differ, where it is known."""
    return None if bits == NO_BITS else bits


# -- leakage


def _spanning(store: Store, collection: str, arrays: Arrays, field: str) -> NDArray[np.int32]:
    """The groups whose images have several values."""
    values = metadata_values(store, collection, arrays["ids"].tolist(), field)
    seen: dict[int, set[str]] = {}
    for id, number in zip(arrays["ids"].tolist(), arrays["group"].tolist(), strict=True):
        if number >= 0 and id in values:
            seen.setdefault(number, set()).add(values[id])
    return np.array([number for number, held in seen.items() if len(held) > 1], np.int32)


@dataclass(frozen=True, slots=True)
class _Link:
    """Two contents of one picture, or one content that several images have."""

    first: int
    second: int
    kind: DuplicateKind
    cosine: float
    bits: int | None


def leakage(
    store: Store, collection: str, name: str, field: str, *, limit: int, offset: int
) -> LeakageOut:
    """Which values of a metadata field, such as splits or patients, share pictures, and a page of the pairs.

    Every pair of duplicates counts, also one that lies in two groups; copies of a file with the same value
    count as one image in it. Raises InvalidField if no image with a
    duplicate has the field, UnknownDuplicates, UnknownCollection.
    """
    run, arrays = load(store, collection, name)
    ids = arrays["ids"].tolist()
    values = metadata_values(store, collection, ids, field)
    if ids and not values:
        raise InvalidField(f"No image with a duplicate has a value in '{field}'.")
    holders = _holders(arrays, values)
    between = Counter[tuple[str, str]]()
    images: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    shown: list[tuple[_Link, str, str, str, str]] = []
    for link in _links(run, arrays):
        one, other = holders.get(link.first, {}), holders.get(link.second, {})
        for left, mine in one.items():
            for right, theirs in other.items():
                if left == right or (link.first == link.second and left > right):
                    continue
                ends = (left, right) if left < right else (right, left)
                sides = (mine, theirs) if left < right else (theirs, mine)
                between[ends] += 1
                held = images.setdefault(ends, (set(), set()))
                for known, more in zip(held, sides, strict=True):
                    known.update(more)
                shown.append((link, mine[0], left, theirs[0], right))
    page = shown[offset : offset + limit]
    payloads = _payloads(store, collection, sorted({id for row in page for id in (row[1], row[3])}))
    return LeakageOut(
        field=field,
        without=len(ids) - len(values),
        between=[
            LeakageBetween(
                first=ends[0], second=ends[1], pairs=count, images=[*map(len, images[ends])]
            )
            for ends, count in between.most_common(_MOST_SHOWN)
        ],
        total=len(shown),
        pairs=[
            LeakingPair(
                first=payloads[one]["key"],
                first_value=left,
                second=payloads[two]["key"],
                second_value=right,
                kind=link.kind,
                cosine=link.cosine,
                bits=link.bits,
            )
            for link, one, left, two, right in page
            if one in payloads and two in payloads
        ],
    )


def _holders(arrays: Arrays, values: Mapping[str, str]) -> dict[int, dict[str, list[str]]]:
    """Of each content and value the ids of the images."""
    found: dict[int, dict[str, list[str]]] = {}
    for id, content in zip(arrays["ids"].tolist(), arrays["content"].tolist(), strict=True):
        if id in values:
            found.setdefault(content, {}).setdefault(values[id], []).append(id)
    return found


def _links(run: DuplicatesOut, arrays: Arrays) -> Iterator[_Link]:
    """All pairs, the most alike first."""
    for content in np.unique(arrays["content"]).tolist():
        yield _Link(content, content, "exact", 1.0, 0)
    first, second, cosine, bits = (
        arrays[f"pair_{name}"] for name in ("first", "second", "cosine", "bits")
    )
    near = (cosine >= run.near) & (bits <= run.bits)
    for row in np.argsort(-cosine, kind="stable").tolist():
        yield _Link(
            int(first[row]),
            int(second[row]),
            kind_name(NEAR if near[row] else VARIANT),
            round(float(cosine[row]), 6),
            bits_or_none(int(bits[row])),
        )
