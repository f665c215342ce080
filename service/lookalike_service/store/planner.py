"""How hard to search: the effort that keeps recall without wasting time.

Measured on 100,000 x 512 and x 1280 clustered vectors (`bench store`): exact scoring costs a third of a
millisecond per million numbers; a graph searched under a filter loses neighbours as the filter
narrows, which a larger ef makes good down to one point in twenty, and ACORN (Patel et al., 2024,
arXiv:2403.04871), which also looks past neighbours that do not match, below that.
"""

from __future__ import annotations

from dataclasses import dataclass

EXACT_NUMBERS = 12_000_000
"""That many numbers are compared with a query in about 4 ms."""

_EF = 64
_EF_FILTERED = 128
_EF_NARROW = 512
_NARROW = 0.25
_ACORN_BELOW = 0.05


@dataclass(frozen=True, slots=True)
class Effort:
    """Compare with all, or walk the graph with this many candidates, with ACORN or without."""

    exact: bool = False
    ef: int | None = None
    acorn: bool = False


def effort(
    *, matching: int, total: int, dim: int, limit: int, exact: bool, ef: int | None
) -> Effort:
    """The effort for the `limit` nearest of about `matching` points out of `total`.

    `exact` and `ef` are the caller's wishes, and come first.
    """
    if exact:
        return Effort(exact=True)
    filtered = matching < total
    if ef is None and filtered and matching * dim <= EXACT_NUMBERS:
        return Effort(exact=True)
    share = matching / max(1, total)
    acorn = filtered and share < _ACORN_BELOW
    if ef is None:
        ef = _EF if not filtered or acorn else _EF_NARROW if share < _NARROW else _EF_FILTERED
    return Effort(ef=max(ef, 2 * limit), acorn=acorn)
