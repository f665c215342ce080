"""Fewer dimensions before an analysis, asked for by a text such as `pca:50`, and applied to new points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.projection.layout import interpolate
from lookalike_service.errors import InvalidParameters

METHODS: Mapping[str, str] = {
    "pca": "the directions of most variance: `pca:50` of them, or `pca:0.95` of the variance",
    "whiten": "the same at equal variance (`whiten:50`, `whiten:0.95`), so that all count alike",
    "random": "random directions, `random:64` of them: fast, keeps distances roughly",
    "umap": "UMAP to `umap:10` dimensions, which keeps neighbours together",
}
_SHARES = ("pca", "whiten")
_MOST_UMAP = 100
_NEIGHBOURS = 15
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reduction as asked for: to so many dimensions (int ≥ 1), or a share of the variance (0 to 1)."""

    method: str
    amount: int | float


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map: `(points - mean) @ components.T`.

    `mean`: float32 (dim,). `components`: float32 (kept, dim); of `pca` orthonormal rows, most variance
    first.
    """

    rule: ClassVar[str] = "linear"
    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def apply(self, points: Points) -> Points:
        """float32 (n, kept) of points float32 (n, dim); each row on its own."""
        out = np.empty((len(points), len(self.components)), dtype=np.float32)
        for start in range(0, len(points), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            out[rows] = (points[rows] - self.mean) @ self.components.T
        return out


@dataclass(frozen=True, slots=True)
class AmongAnchors:
    """A map known at some points: others are placed among their 15 nearest by cosine.

    `anchors`: float32 (m, dim), unit L2 norm; `anchor_places`: float32 (m, kept).
    """

    rule: ClassVar[str] = "among_anchors"
    anchors: NDArray[np.float32]
    anchor_places: NDArray[np.float32]

    def apply(self, points: Points) -> Points:
        """float32 (n, kept) of points float32 (n, dim), unit L2 norm; each row on its own."""
        parts = range(0, len(points), _ROWS_AT_ONCE)
        return np.concatenate([self._placed(points[at : at + _ROWS_AT_ONCE]) for at in parts])

    def _placed(self, points: Points) -> Points:
        cosines = points.astype(np.float64) @ self.anchors.T.astype(np.float64)
        count = min(_NEIGHBOURS, len(self.anchors))
        near = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        similarities = np.take_along_axis(cosines, near, axis=1)
        return interpolate(similarities, self.anchor_places[near])


Reduction: TypeAlias = Linear | AmongAnchors


def reduction_arrays(reduction: Reduction) -> dict[str, NDArray[Any]]:
    """What to store of a fitted reduction; `load_reduction` is the way back."""
    return {field.name: getattr(reduction, field.name) for field in fields(reduction)}


def load_reduction(text: str, arrays: Mapping[str, NDArray[Any]]) -> Reduction:
    """The fitted reduction that a text asked for, from its arrays, which may lie among others."""
    if parse_reduction(text).method == "umap":
        return AmongAnchors(arrays["anchors"], arrays["anchor_places"])
    return Linear(arrays["mean"], arrays["components"])


def parse_reduction(text: str) -> Wanted:
    """What a text asks for. Raises InvalidParameters with the allowed forms."""
    method, _, amount = text.partition(":")
    try:
        if method in METHODS and amount.isascii() and amount.isdecimal() and int(amount) >= 1:
            return Wanted(method, int(amount))
        if method in _SHARES and 0 < float(amount) < 1:
            return Wanted(method, float(amount))
    except ValueError:
        pass  # not a number: refused below
    forms = "; ".join(f"{name}:COUNT" for name in METHODS)
    raise InvalidParameters(
        f"reduction {text!r} is not one; allowed: {forms} (dimensions, from 1), or {_SHARES[0]}:SHARE and "
        f"{_SHARES[1]}:SHARE such as pca:0.95 (of the variance)"
    )


def known_dim(text: str | None, dim: int) -> int | None:
    """The dimensions that a reduction leaves of `dim`; None where the points will tell.

    Raises InvalidParameters.
    """
    if text is None:
        return dim
    amount = parse_reduction(text).amount
    return amount if isinstance(amount, int) else None


def check_reduction(wanted: Wanted, *, points: int, dim: int) -> None:
    """Raise InvalidParameters if these points cannot be reduced so."""
    method, amount = wanted.method, wanted.amount
    most = {"random": dim, "umap": min(dim, _MOST_UMAP, points - 2)}.get(method, min(points, dim))
    if isinstance(amount, int) and amount > most:
        allowed = f"at most {most}" if most > 0 else "none"
        raise InvalidParameters(
            f"{method}:{amount} asks for {amount} components; {points} points of {dim} dimensions have "
            f"{allowed}"
        )
