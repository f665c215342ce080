"""Comparisons and duplicates of one collection, described once for both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lookalike import results
from lookalike.call import Answer, Call, content, nothing, record, records
from lookalike.errors import UnexpectedAnswer
from lookalike.fields import Filter, collection_path, present

Side = Literal["first", "second"]


def compare(
    collection: str,
    first: Mapping[str, Any] | None = None,
    second: Mapping[str, Any] | None = None,
    *,
    name: str = "comparison",
    clustering: str | None = None,
    clusters: int | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start measuring how different two sets of images are, such as real and synthetic ones.

    `first` and `second` are {"title", "filter", "collection"}, all optional: `first` is the reference, of
    this collection; `second` may be of another one, and without a filter is what `first` leaves. `clustering`
    names the clusters to look for the difference in; else `clusters` of them are found. Raises
    UnknownCollection, InvalidParameters, SpaceMismatch for collections of different encoders.
    """
    body = {"name": name, "seed": seed, "first": dict(first or {}), "second": dict(second or {})}
    return Call(
        "POST",
        collection_path(collection, "compare"),
        record(results.JobStatus),
        json=body | present(clustering=clustering, clusters=clusters),
        repeat="unless_received",
    )


def comparisons(collection: str) -> Call[list[results.Comparison]]:
    """All comparisons of the collection. Raises UnknownCollection."""
    path = collection_path(collection, "comparisons")
    return Call("GET", path, records(results.Comparison, "comparisons"))


def comparison(collection: str, name: str = "comparison") -> Call[results.Comparison]:
    """One comparison with its figures and clusters. Raises UnknownComparison."""
    return Call("GET", collection_path(collection, "comparisons", name), record(results.Comparison))


def comparison_page(collection: str, name: str = "comparison") -> Call[bytes]:
    """The report as one HTML page with pictures in it. Raises UnknownComparison."""
    path = collection_path(collection, "comparisons", name)
    return Call("GET", path, content, accept="text/html")


def counterparts(
    collection: str,
    name: str = "comparison",
    *,
    side: Side = "second",
    order: Literal["farthest", "nearest"] = "farthest",
    limit: int = 100,
    offset: int = 0,
) -> Call[results.Counterparts]:
    """The images of one set, each with the nearest of the other; those first that have nothing like them.

    Raises UnknownComparison.
    """
    path = collection_path(collection, "comparisons", name, "counterparts")
    query = present(side=side, order=order, limit=limit, offset=offset)
    return Call("GET", path, record(results.Counterparts), query)


def comparison_maps(
    collection: str, name: str = "comparison", *, limit: int = 6
) -> Call[results.ComparedImages]:
    """The images of each set that are least like the other, with heat maps of what makes them so.

    Raises UnknownComparison, UnsupportedTarget.
    """
    path = collection_path(collection, "comparisons", name, "maps")
    return Call("GET", path, record(results.ComparedImages), present(limit=limit))


def delete_comparison(collection: str, name: str = "comparison") -> Call[None]:
    """Delete a comparison. Raises UnknownComparison."""
    path = collection_path(collection, "comparisons", name)
    return Call("DELETE", path, nothing, repeat="unless_received")


# -- duplicates


def find_duplicates(
    collection: str,
    *,
    name: str = "duplicates",
    near: float | None = None,
    bits: int | None = None,
    variant: float | None = None,
    filter: Filter | None = None,
    anew: bool = False,
) -> Call[results.JobStatus]:
    """Start grouping images of one picture; a run of the same name and criteria is gone on from.

    `near` and `variant` are cosines, `bits` is how far the perceptual hashes of near duplicates may differ.
    Raises UnknownCollection, InvalidParameters.
    """
    options = present(near=near, bits=bits, variant=variant, filter=filter)
    return Call(
        "POST",
        collection_path(collection, "duplicates"),
        record(results.JobStatus),
        json={"name": name, "anew": anew} | options,
        repeat="unless_received",
    )


def duplicate_runs(collection: str) -> Call[list[results.Duplicates]]:
    """All searches for duplicates of the collection. Raises UnknownCollection."""
    path = collection_path(collection, "duplicates")
    return Call("GET", path, records(results.Duplicates, "duplicates"))


def duplicates(collection: str, name: str = "duplicates") -> Call[results.Duplicates]:
    """What one search found: how many groups, and duplicates of each kind. Raises UnknownDuplicates."""
    return Call("GET", collection_path(collection, "duplicates", name), record(results.Duplicates))


def duplicate_groups(
    collection: str,
    name: str = "duplicates",
    *,
    kind: Literal["exact", "near", "variant"] | None = None,
    across: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Call[results.DuplicateGroups]:
    """A page of groups, the largest first, each with the image to keep.

    `across`: those alone whose images have several values of a field, such as "metadata.split". Raises
    UnknownDuplicates, InvalidField.
    """
    path = collection_path(collection, "duplicates", name, "groups")
    query = present(kind=kind, across=across, limit=limit, offset=offset)
    return Call("GET", path, record(results.DuplicateGroups), query)


def leakage(
    collection: str,
    field: str,
    name: str = "duplicates",
    *,
    limit: int = 100,
    offset: int = 0,
) -> Call[results.Leakage]:
    """Which values of a field, such as "metadata.split", share pictures, and a page of the pairs.

    Raises UnknownDuplicates, InvalidField.
    """
    path = collection_path(collection, "duplicates", name, "leakage")
    query = present(field=field, limit=limit, offset=offset)
    return Call("GET", path, record(results.Leakage), query)


def deletion_plan(
    collection: str,
    name: str = "duplicates",
    *,
    kinds: Sequence[str] = ("exact", "near"),
    limit: int = 100,
    offset: int = 0,
) -> Call[results.DeletionPlan]:
    """What deleting duplicates of these kinds would do; nothing is deleted. Raises UnknownDuplicates."""
    path = collection_path(collection, "duplicates", name, "plan")
    query = present(kinds=list(kinds), limit=limit, offset=offset)
    return Call("GET", path, record(results.DeletionPlan), query)


def deletion_list(
    collection: str, name: str = "duplicates", *, kinds: Sequence[str] = ("exact", "near")
) -> Call[bytes]:
    """The same as CSV: every image of the collection with `keep` or `delete`. Raises UnknownDuplicates."""
    path = collection_path(collection, "duplicates", name, "plan")
    return Call("GET", path, content, present(kinds=list(kinds)), accept="text/csv")


def delete_duplicates(
    collection: str,
    token: str,
    name: str = "duplicates",
    *,
    kinds: Sequence[str] = ("exact", "near"),
) -> Call[int]:
    """Delete what the plan of this token says; how many there were. Images replaced since are spared.

    Raises Conflict if that is no longer the plan, UnknownDuplicates.
    """
    return Call(
        "POST",
        collection_path(collection, "duplicates", name, "apply"),
        _deleted,
        json={"token": token, "kinds": list(kinds)},
        repeat="unless_received",
    )


def _deleted(answer: Answer) -> int:
    data = answer.json()
    if not isinstance(data, dict) or not isinstance(data.get("deleted"), int):
        raise UnexpectedAnswer(f"{answer.request}: the answer has no number 'deleted'.")
    return int(data["deleted"])


def forget_duplicates(collection: str, name: str = "duplicates") -> Call[None]:
    """Forget a search for duplicates; the images stay. Raises UnknownDuplicates."""
    path = collection_path(collection, "duplicates", name)
    return Call("DELETE", path, nothing, repeat="unless_received")
