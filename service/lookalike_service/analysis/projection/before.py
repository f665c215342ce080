"""Fewer dimensions before a map is laid out, where that is measured to lose little."""

from __future__ import annotations

from lookalike_service.analysis.fit_reduction import reduce
from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.quality import measure
from lookalike_service.analysis.reduction import Linear, parse_reduction
from lookalike_service.errors import InvalidParameters

AUTO = "auto"
AUTO_DIMENSIONS = 50
LEAST_TRUST = 0.98
"""What the trustworthiness of the reduced points must reach, for `auto` to use them."""

Figures = dict[str, float | None]


def check_before(text: str | None) -> None:
    """Raise InvalidParameters if this is no reduction to come before a map."""
    if text not in (None, AUTO) and parse_reduction(text).method == "umap":
        raise InvalidParameters(
            f"reduction {text!r} before a projection; allowed: auto, null, or one by pca, whiten or random"
        )


def reduce_before(
    points: Points, text: str | None, *, seed: int, progress: Progress
) -> tuple[Points, Linear | None, Figures]:
    """The points to lay out, the map that gave them (None: they are the given ones), and figures.

    `auto` is PCA to 50 where there are more dimensions and the reduced points are trustworthy. Figures:
    `components` where they are reduced, and `reduction_trustworthiness` and `reduction_kept` (see
    `Quality`) where that was looked at. Raises InvalidParameters.
    """
    count, dim = points.shape
    few = min(count, dim) <= AUTO_DIMENSIONS
    if text is None or all_equal(points) or (text == AUTO and few):
        return points, None, {}
    progress("reducing", 0, None)
    wanted = parse_reduction(f"pca:{AUTO_DIMENSIONS}" if text == AUTO else text)
    reduced, linear, figures = reduce(points, wanted, seed=seed, progress=progress)
    assert isinstance(linear, Linear), "check_before() has seen to it"  # noqa: S101 - narrows
    quality = measure(points, reduced, seed=seed)
    if quality is None:
        return points, None, {}
    judged: Figures = {
        "reduction_trustworthiness": quality.trustworthiness,
        "reduction_kept": quality.kept,
    }
    if text == AUTO and quality.trustworthiness < LEAST_TRUST:
        return points, None, judged
    return reduced, linear, {"components": figures["components"], **judged}
