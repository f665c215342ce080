"""Fewer dimensions before an analysis: `pca:50` components, or `pca:0.95` of the variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters

_FORMS = "`pca:COUNT` such as pca:50 (components) or `pca:SHARE` such as pca:0.95 (of the variance)"


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map: `(points - mean) @ components.T`.

    `mean`: float32 (dim,). `components`: float32 (kept, dim), orthonormal rows, most
    variance first.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def apply(self, points: Points) -> Points:
        """float32 (n, kept) of points float32 (n, dim); each row on its own."""
        return ((points - self.mean) @ self.components.T).astype(np.float32, copy=False)


def parse_reduction(text: str) -> int | float:
    """The count of components (int ≥ 1) or share of variance (float in (0, 1)) that a text asks for.

    Raises InvalidParameters with the allowed forms.
    """
    method, _, amount = text.partition(":")
    try:
        if method == "pca" and amount.isascii() and amount.isdecimal() and int(amount) >= 1:
            return int(amount)
        if method == "pca" and 0 < float(amount) < 1:
            return float(amount)
    except ValueError:
        pass  # not a number: refused below
    raise InvalidParameters(f"reduction {text!r} is not one; allowed: {_FORMS}")


def check_reduction(amount: int | float, *, points: int, dim: int) -> None:
    """Raise InvalidParameters if these points cannot give that many components."""
    most = min(points, dim)
    if isinstance(amount, int) and amount > most:
        raise InvalidParameters(
            f"pca:{amount} asks for {amount} components; {points} points of {dim} dimensions have "
            f"at most {most}"
        )
