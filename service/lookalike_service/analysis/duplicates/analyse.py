"""The analysis of a duplicates job, run in the computing process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.duplicates.groups import group
from lookalike_service.analysis.duplicates.pairs import Distinct, find_pairs
from lookalike_service.analysis.progress import Progress

NO_BITS = 255
"""In place of the number of bits that differ, where a picture has no perceptual hash."""
KINDS = ("exact", "near", "variant")
EXACT, NEAR, VARIANT = 1, 2, 3
"""What an image is of its group's representative; 0 is the representative, or an image in no group."""


def compare(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Pairs of contents `start` to `stop` with those before them.

    `arrays`: `vectors`, float32 (n, dim) of unit norm; `rows`: int64 (contents,), a row of vectors for each
    content; `hashes`: uint64 (contents,), and `hashed`: bool, which of them have one. `parameters`: `start`,
    `stop`, `near`, `variant` (cosines), `bits`; `begin` and `end` of the whole work, for telling progress.

    A pair is *near* by cosine and hash together, else a *variant* by the cosine alone. Arrays out: `first`,
    `second`, `cosine`, `bits` (uint8) of the pairs that are either. Raises InvalidParameters.
    """
    near, variant = parameters["near"], parameters["variant"]
    start, begin = parameters["start"], parameters["begin"]

    def tell(stage: str, done: int, total: int | None) -> None:  # noqa: ARG001 - of this part alone
        progress(stage, start - begin + done, parameters["end"] - begin)

    points = Distinct(arrays["vectors"], np.asarray(arrays["rows"]))
    pairs = find_pairs(points, start, parameters["stop"], min(near, variant), tell)
    bits = _bits(arrays, pairs.first, pairs.second)
    kept = _is_near(pairs.cosine, bits, near, parameters["bits"]) | (pairs.cosine >= variant)
    return {
        "first": pairs.first[kept],
        "second": pairs.second[kept],
        "cosine": pairs.cosine[kept],
        "bits": bits[kept],
    }, {}


def _bits(
    arrays: Mapping[str, NDArray[Any]], first: NDArray[np.int32], second: NDArray[np.int32]
) -> NDArray[np.uint8]:
    hashes, hashed = np.asarray(arrays["hashes"]), np.asarray(arrays["hashed"])
    bits = np.bitwise_count(hashes[first] ^ hashes[second]).astype(np.uint8)
    bits[~(hashed[first] & hashed[second])] = NO_BITS
    return np.asarray(bits, np.uint8)


def _is_near(
    cosine: NDArray[np.float32], bits: NDArray[np.uint8], near: float, most_bits: int
) -> NDArray[np.bool_]:
    return (cosine >= near) & (bits <= most_bits)


def gather(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Groups of images, from the pairs of their contents.

    `arrays`: `first`, `second`, `cosine`, `bits` of pairs of contents; `content`: int32 (n,), that of each
    image; `rank`: int32 (n,), the place of each image in the order from the best. `parameters`: `near`,
    `bits`.

    Arrays out, for the images that have a duplicate, the largest groups first and in each the representative,
    then its copies: `row` (int32), `content`; `group` (int32, -1 for one whose duplicates are all closer to
    others); `keeper` and `twin` (int32, places in these arrays: the group's representative, and the best
    image of the same content); `kind` (int8), `cosine` and `bits`: what the image is of its representative.
    Figures out: `groups`, `cut` and the number of each kind.
    """
    progress("grouping", 0, None)
    content, rank = np.asarray(arrays["content"]), np.asarray(arrays["rank"])
    copies = np.bincount(content)
    best = np.full(len(copies), len(content), np.int64)
    np.minimum.at(best, content, rank)
    found = group(arrays["first"], arrays["second"], np.argsort(best, kind="stable"))
    size = np.bincount(found.leader, weights=copies, minlength=len(copies))[found.leader]
    linked = copies > 1
    linked[arrays["first"]] = linked[arrays["second"]] = True
    rows = np.flatnonzero(linked[content])
    mine = content[rows]
    leader = found.leader[mine]
    order = np.lexsort((rank[rows], leader != mine, best[leader], -size[mine]))
    rows, mine, leader = rows[order], mine[order], leader[order]
    # In each group the first image is the representative; of each content the best comes first.
    keeper, twin = _first_of(leader), _first_of(mine)
    kind, cosine, bits = _relations(found.link[mine], arrays, parameters)
    kind[keeper == np.arange(len(rows))] = 0
    starts = np.concatenate([[0], leader[1:] != leader[:-1]]) if len(rows) else leader
    number = np.where(size[mine] > 1, np.cumsum(starts), -1)
    out: dict[str, NDArray[Any]] = {
        "row": rows.astype(np.int32),
        "content": mine.astype(np.int32),
        "group": number.astype(np.int32),
        "keeper": keeper,
        "twin": twin,
        "kind": kind,
        "cosine": cosine,
        "bits": bits,
    }
    figures = {name: int((kind == i).sum()) for i, name in enumerate(KINDS, start=1)}
    return out, {"groups": int(number.max(initial=-1)) + 1, "cut": found.cut, **figures}


def _first_of(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each value the place where it first stands, (n,)."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int32)


def _relations(
    link: NDArray[np.int32], arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.uint8]]:
    """Kind, cosine and bits of images by the pair with the representative; -1 for one of its own content."""
    kind = np.full(len(link), EXACT, np.int8)
    cosine, bits = np.ones(len(link), np.float32), np.zeros(len(link), np.uint8)
    other = link >= 0
    cosine[other] = arrays["cosine"][link[other]]
    bits[other] = arrays["bits"][link[other]]
    near = _is_near(cosine, bits, parameters["near"], parameters["bits"])
    kind[other] = np.where(near[other], NEAR, VARIANT)
    return kind, cosine, bits
