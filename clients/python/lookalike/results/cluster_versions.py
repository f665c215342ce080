"""What is said of clusterings, and two of them compared."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.results.common import Listing


@dataclass(frozen=True, slots=True)
class Drift:
    """How well images labelled since a clustering was made fit into it; `recluster`: make it anew.

    `low` of `images` have a confidence up to `threshold`, noise included; `expected` is the share to expect.
    """

    images: int
    low: int
    share: float | None
    threshold: float
    expected: float
    recluster: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word for a cluster; `score`: how much better it suits it than it does all."""

    word: str
    score: float


@dataclass(frozen=True, slots=True)
class NamedCluster:
    """A cluster with its name and the words that suit it best."""

    label: int
    name: str
    suggestions: list[Suggestion]


@dataclass(frozen=True, slots=True)
class Naming(Listing[NamedCluster]):
    """How clusters were named, by which encoder; iterates over `clusters`."""

    model: str
    clusters: list[NamedCluster]

    def _rows(self) -> list[NamedCluster]:
        return self.clusters


@dataclass(frozen=True, slots=True)
class RunCluster:
    """A cluster (label -1 is noise) and how many of its images are in both runs."""

    label: int
    name: str | None
    size: int


@dataclass(frozen=True, slots=True)
class LineageRun:
    """One of two runs that are compared."""

    name: str
    created_at: str
    points: int
    clusters: list[RunCluster]


@dataclass(frozen=True, slots=True)
class Flow:
    """Images in one cluster of the first run and one of the second; shares are of the two clusters."""

    label: int
    later: int
    images: int
    share: float
    later_share: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a cluster: kept, moved, merged, split, dissolved or absent, and `into` which others."""

    label: int
    event: str
    into: list[int]


@dataclass(frozen=True, slots=True)
class MatchedCluster:
    """A cluster and the later one that is its like, with their Jaccard index."""

    label: int
    later: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class Lineage(Listing[Fate]):
    """What became of the clusters of `run` in `later`, by the images in both; iterates over `fates`.

    `overlap[i][j]` images are in `run.clusters[i]` and `later.clusters[j]`; `flows` are the same without
    zeros. `new` are later clusters that no cluster came to.
    """

    run: LineageRun
    later: LineageRun
    points: int
    only: int
    only_later: int
    overlap: list[list[int]]
    flows: list[Flow]
    fates: list[Fate]
    new: list[int]
    matching: list[MatchedCluster]
    figures: dict[str, float]

    def _rows(self) -> list[Fate]:
        return self.fates
