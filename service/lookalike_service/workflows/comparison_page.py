"""The report of a comparison as one HTML page: no script, nothing fetched, pictures inside it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lookalike_service.schemas.comparisons import (
    ClusterShareOut,
    ComparisonOut,
    Counterpart,
    Estimate,
    Side,
    SubsetOut,
)
from lookalike_service.workflows.comparison import NOT_LABELLED, Order

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser is told to hold the page to: it quotes names and ids that strangers may have chosen."""

Picture = Callable[[Side, str], bytes | None]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
       padding: 0 1em }
h1 { font-size: 1.6em; margin-bottom: 0 } h2 { font-size: 1.2em; margin-top: 2em } h3 { font-size: 1em }
p.about { color: #666; margin-top: .2em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35em .7em .35em 0 }
th { font-weight: 600; border-bottom: 2px solid #ddd }
td { border-bottom: 1px solid #eee; vertical-align: top }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums } td.note { color: #555 }
.first { color: #1b6ca8 } .second { color: #b3541e }
.bar { height: .7em; border-radius: 2px; margin: .25em 0 } .bar.first { background: #1b6ca8 }
.bar.second { background: #b3541e } .bars { width: 220px }
.row { display: flex; flex-wrap: wrap; gap: .7em } figure { margin: 0; max-width: 270px }
figure img { height: 120px; max-width: 130px; object-fit: contain; background: #f4f4f4; border-radius: 3px }
.small img { height: 64px; max-width: 80px }
figcaption { font-size: 12px; color: #666; overflow-wrap: anywhere }
.gone { display: inline-block; width: 80px; height: 64px; background: #eee; border-radius: 3px }
"""
_SURE = 0.05
_EXPLAINED = (
    "The images of each set that are least like the other, along the direction between the two means, which "
    "is {share:.0%} of the Fréchet distance. Hot: what speaks for the image's own set."
)


@dataclass(frozen=True, slots=True)
class Explained:
    """A typical image: JPEG of its heat map over it, or why there is none."""

    side: Side
    id: str
    along: float
    overlay: bytes | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some images of one set with their counterparts."""

    side: Side
    order: Order
    pairs: Sequence[Counterpart]


def render(
    run: ComparisonOut,
    model: str,
    picture: Picture,
    explained: Sequence[Explained] | str,
    pairs: Sequence[Pairs],
) -> str:
    """The page. `picture`: an image's thumbnail, JPEG; `explained`: images, or why none can be."""
    title = f"{run.first.title} against {run.second.title}"
    sections = (
        _figures(run),
        _clusters(run, picture),
        _maps(run, picture, explained),
        _counterparts(run, picture, pairs),
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f'<meta http-equiv=Content-Security-Policy content="{escape(POLICY)}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1><span class=first>{escape(run.first.title)}</span> against "
        f"<span class=second>{escape(run.second.title)}</span></h1>"
        f"<p class=about>{_about(run.first)}; {_about(run.second)}. Encoder {escape(model)}, "
        f"{escape(run.created_at[:16].replace('T', ' '))} UTC, {run.seconds:.1f} s.</p>"
        f"<p>{_verdict(run)}</p>" + "".join(sections) + "</html>"
    )


def _about(subset: SubsetOut) -> str:
    return f"{escape(subset.title)}: {subset.points:,} images of {escape(subset.collection)}"


def _verdict(run: ComparisonOut) -> str:
    """Whether any of the two tests shows a difference, their number allowed for."""
    chance = min(1.0, 2 * min(run.figures.mmd_p, run.figures.separability.p))
    if chance < _SURE:
        return f"The sets differ ({_chance(chance)} by the better of two tests)."
    return (
        f"The sets are not shown to differ ({_chance(chance)} by the better of two tests): clusters and heat "
        "maps below may be of chance alone."
    )


# -- figures


def _figures(run: ComparisonOut) -> str:
    first, second = escape(run.first.title), escape(run.second.title)
    found = run.figures
    rows = [
        (
            "Classifier, AUC",
            found.separability.auc,
            f"how often {second} scores above {first}; 0.5: cannot tell; {_chance(found.separability.p)}",
        ),
        ("Classifier, accuracy", found.separability.accuracy, "the mean of both sets"),
        (
            "Fréchet distance",
            found.frechet.distance,
            f"{found.frechet.no_difference:.4g} if there were no difference; see below for its direction",
        ),
        ("MMD²", found.mmd, f"0 if there were no difference; {_chance(found.mmd_p)}"),
        ("KID", found.kid, "0 if there were no difference"),
        ("Precision", found.precision, f"share of {second} that is where {first} is"),
        ("Recall", found.recall, f"share of {first} that is where {second} is"),
        ("Density", found.density, f"how densely {first} lies where {second} is; 1 if alike"),
        ("Coverage", found.coverage, f"share of {first} with one of {second} near it"),
    ]
    body = "".join(
        f"<tr><td>{name}<td class=number>{estimate.value:.4g}<td class=number>{_interval(estimate)}"
        f"<td class=note>{note}"
        for name, estimate, note in rows
    )
    return (
        "<h2>How different they are</h2><table><tr><th>figure<th>value<th>95 %<th>"
        + body
        + "</table>"
    )


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.4g} … {estimate.high:.4g}"


def _chance(p: float) -> str:
    return f"p {'&lt; 0.001' if p < 0.001 else f'= {p:.3g}'}"


# -- clusters


def _clusters(run: ComparisonOut, picture: Picture) -> str:
    whole = max(
        [share.first / run.first.points for share in run.clusters]
        + [share.second / run.second.points for share in run.clusters]
    )
    body = "".join(_cluster(run, share, whole, picture) for share in run.clusters)
    origin = (
        "Clusters were found in both sets together."
        if run.clustering is None
        else f"Clusters of “{escape(run.clustering)}”."
    )
    depends = ""
    if run.independence is not None:
        depends = f" Cramér's V {run.independence.cramers_v:.3f}, {_chance(run.independence.p)}."
    return (
        f"<h2>Which clusters hold the difference</h2><p class=about>{origin}{depends}</p>"
        "<table><tr><th>cluster<th>share of each<th>difference<th>images" + body + "</table>"
    )


def _cluster(run: ComparisonOut, share: ClusterShareOut, whole: float, picture: Picture) -> str:
    names = {-1: "noise", NOT_LABELLED: "not clustered"}
    shares = {"first": share.first / run.first.points, "second": share.second / run.second.points}
    bars = "".join(
        f"<div class='bar {side}' style='width:{100 * value / whole:.1f}%' title='{100 * value:.2f} %'></div>"
        for side, value in shares.items()
    )
    counts = (
        f"<span class=first>{share.first:,} ({100 * shares['first']:.1f} %)</span> · "
        f"<span class=second>{share.second:,} ({100 * shares['second']:.1f} %)</span>"
    )
    change = share.difference
    return (
        f"<tr><td>{names.get(share.label, share.label)}<td class=bars>{bars}<small>{counts}</small>"
        f"<td class=number>{100 * change.value:+.1f} points<br><small>{100 * change.low:+.1f} … "
        f"{100 * change.high:+.1f}<br>{_chance(share.p)}</small><td><div class='row small'>"
        + "".join(
            _image(picture(side, id), id) for side, ids in share.examples.items() for id in ids
        )
        + "</div>"
    )


# -- pictures


def _maps(run: ComparisonOut, picture: Picture, explained: Sequence[Explained] | str) -> str:
    heading = "<h2>What in the images makes the difference</h2>"
    if isinstance(explained, str):
        return f"{heading}<p>There are no heat maps: {escape(explained)}</p>"
    parts = [
        heading,
        f"<p class=about>{_EXPLAINED.format(share=_mean_share(run))}</p>",
    ]
    for side, subset in (("first", run.first), ("second", run.second)):
        figures = "".join(
            f"<figure>{_image(picture(one.side, one.id), one.id)} "
            f"{_image(one.overlay, one.id) if one.overlay else escape(one.error or '')}"
            f"<figcaption>{escape(one.id)} ({one.along:+.3f})</figcaption></figure>"
            for one in explained
            if one.side == side
        )
        parts.append(f"<h3 class={side}>{escape(subset.title)}</h3><div class=row>{figures}</div>")
    return "".join(parts)


def _mean_share(run: ComparisonOut) -> float:
    distance = run.figures.frechet.distance.value
    return run.figures.frechet.mean_term / distance if distance > 0 else 0.0


def _counterparts(run: ComparisonOut, picture: Picture, pairs: Sequence[Pairs]) -> str:
    titles: Mapping[Side, str] = {"first": run.first.title, "second": run.second.title}
    parts = ["<h2>Nearest counterparts</h2>"]
    for found in pairs:
        other: Side = "second" if found.side == "first" else "first"
        what = "with nothing like it" if found.order == "farthest" else "with the most alike"
        figures = "".join(
            f"<figure>{_image(picture(found.side, pair.id), pair.id)} "
            f"{_image(picture(other, pair.counterpart), pair.counterpart)}"
            f"<figcaption>{escape(pair.id)} → {escape(pair.counterpart)}, cosine {pair.cosine:.3f}"
            "</figcaption></figure>"
            for pair in found.pairs
        )
        parts.append(
            f"<h3 class={found.side}>{escape(titles[found.side])} {what} in {escape(titles[other])}</h3>"
            f"<div class=row>{figures}</div>"
        )
    return "".join(parts)


def _image(jpeg: bytes | None, id: str) -> str:
    if not jpeg:
        return f"<span class=gone title='{escape(id)}: no picture is kept'></span>"
    data = base64.b64encode(jpeg).decode("ascii")
    return f"<img src='data:image/jpeg;base64,{data}' alt='{escape(id)}' title='{escape(id)}'>"
