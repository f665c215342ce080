"""What was decided about running one network on this machine, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lookalike_service.settings import PlanName

Chosen = Literal["measured", "stored", "set"]
"""By measuring now, from the stored decision of an earlier start, or by LOOKALIKE_PLAN."""

Curve = dict[int, float]
"""Images per second by batch size."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close a plan's embeddings are to float32's on the calibration images.

    `cosine`: the least over the images. `neighbours`: the mean share of nearest neighbours in common.
    """

    cosine: float
    neighbours: float

    @property
    def holds(self) -> bool:
        """Whether the plan may serve in float32's place."""
        return self.cosine >= 0.999 and self.neighbours >= 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to run a network, with what was measured of it here.

    `images_per_second`: by batch size; of the last calibration if the decision was stored, and empty for
    float32 if that was set.
    """

    name: PlanName
    engine: str
    device: str
    dtype: str
    layout: str
    chosen: Chosen
    images_per_second: Curve
    agreement: Agreement
    streams: int = 1
    """How many passes run side by side."""
    copied_bytes: int = 0
    """Memory, at least, of the copies of the weights that it runs on."""

    @property
    def batch_size(self) -> int | None:
        """The largest measured batch within 5 % of the highest rate: beyond it, caches overflow.

        None if nothing was measured.
        """
        if not self.images_per_second:
            return None
        best = max(self.images_per_second.values())
        return max(n for n, rate in self.images_per_second.items() if rate >= 0.95 * best)

    @property
    def passes_at_once(self) -> int:
        """One in each stream, and one that stands ready, or streams idle until the former is answered."""
        return self.streams + 1

    def pipelined_batch(self, most: int) -> int:
        """Images, at most `most`, for one of several passes under way.

        A stream's share of the smallest measured batch within 10 % of the highest rate: more in one pass is
        hardly faster, and leaves the decoding of the next images without a pass to overlap with. `most` if
        nothing was measured.
        """
        if not self.images_per_second:
            return most
        return min(most, max(2, math.ceil(self._enough / self.streams)))

    @property
    def _enough(self) -> int:
        """The smallest measured batch within 10 % of the highest rate; 1 if nothing was measured."""
        best = max(self.images_per_second.values(), default=0.0)
        return min((n for n, r in self.images_per_second.items() if r >= 0.9 * best), default=1)

    def fewest_under_way(self, decoders: int) -> int:
        """How few images under way keep the device busy, where they are decoded by so many threads.

        One in each of several streams: their rates were measured with one call at a time, of which one image
        fills one stream. Else a pass that runs and one that stands ready, each of the smallest batch within
        10 % of the highest rate. Decoding has cores of its own only where the network does not run on them.
        """
        enough = self.streams if self.streams > 1 else 2 * self._enough
        return enough if self.device == "cpu" else enough + decoders

    def wait(self, most: float) -> float:
        """Seconds, at most `most`, that a lone image should wait for others to join its batch.

        Never longer than what it can save: by how much an image alone takes longer than in a full batch.
        """
        if not self.images_per_second:
            return most
        alone = 1 / self.images_per_second[min(self.images_per_second)]
        together = 1 / max(self.images_per_second.values())
        return min(most, max(0.0, alone - together))
