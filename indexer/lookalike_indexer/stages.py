"""How long the stages of a run are at work, to tell which one the others wait for."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Work(Protocol):
    """What `Stages` does."""

    def at(self, stage: str, images: int = 0) -> AbstractContextManager[None]:
        """Count the time within, and the images of a batch that goes through there."""

    def seconds(self, stage: str) -> float:
        """How long the stage was at work."""

    def mean_batch(self, stage: str) -> float:
        """How many images its batches had on average; 0 before the first."""

    def take(self) -> dict[str, list[float]]:
        """Seconds, batches and images of each stage, which begins anew: for another's `add`."""

    def add(self, taken: Mapping[str, Sequence[float]]) -> None:
        """Count what another has counted."""


class Stages:
    """Seconds of work by stage, summed over its workers; batches and the images in them. Thread-safe."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._batches: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0])

    @contextmanager
    def at(self, stage: str, images: int = 0) -> Iterator[None]:
        """Count the time within, and the images of a batch that goes through there."""
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            with self._lock:
                self._seconds[stage] += seconds
                if images:
                    counts = self._batches[stage]
                    counts[0] += 1
                    counts[1] += images

    def seconds(self, stage: str) -> float:
        """How long the stage was at work."""
        return self._seconds[stage]

    def mean_batch(self, stage: str) -> float:
        """How many images its batches had on average; 0 before the first."""
        batches, images = self._batches[stage]
        return images / batches if batches else 0.0

    def take(self) -> dict[str, list[float]]:
        """Seconds, batches and images of each stage, which begins anew: for another's `add`."""
        with self._lock:
            taken = {stage: [s, *self._batches[stage]] for stage, s in self._seconds.items()}
            self._seconds.clear()
            self._batches.clear()
        return taken

    def add(self, taken: Mapping[str, Sequence[float]]) -> None:
        """Count what another has counted."""
        with self._lock:
            for stage, (seconds, batches, images) in taken.items():
                self._seconds[stage] += seconds
                self._batches[stage][0] += batches
                self._batches[stage][1] += images
