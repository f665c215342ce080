"""Measuring the ways to run a network in this process, and checking each against float32."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookalike_service.encoders.plans.engines import ENGINES, Execute, Task, available, build
from lookalike_service.encoders.plans.plan import Agreement, Curve
from lookalike_service.encoders.plans.samples import calibration_images
from lookalike_service.errors import EncoderFailed
from lookalike_service.images import Pixels
from lookalike_service.settings import PlanName

log = structlog.get_logger(__name__)

REFERENCE: PlanName = "float32"
BATCHES = {"cpu": (1, 4, 16), "cuda": (1, 8, 32, 128)}
ROUNDS = 9
BUDGET_S = 20.0
"""After this long no further round is started; large networks make do with one."""
MAY_LEAD = 0.4
"""Only plans that reached this share of the highest rate in the first round go on to the others.

Less than half, since shared machines have seconds in which they are twice as fast as else.
"""
CLEARLY = 1.05
"""How much faster a plan must be than every plainer one to be chosen: above what repeats by chance."""
NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan to run by, with what was measured of it and of float32."""

    plan: PlanName
    images_per_second: Curve
    float32_images_per_second: Curve
    agreement: Agreement

    @property
    def checked_batch(self) -> int:
        """The batch size at which later starts check the lead: a quick one, though not one image."""
        return sorted(self.images_per_second)[1]

    @property
    def lead(self) -> float:
        """How many times as fast as float32 the plan ran, at that batch size."""
        size = self.checked_batch
        return self.images_per_second[size] / self.float32_images_per_second[size]


@dataclass
class Calibration:
    """Builds plans for one network, and compares them.

    `tail`: features to embeddings (n, dim), whose cosine is what must agree; any norm.
    """

    task: Task
    tail: Callable[[Tensor], Tensor]
    built: dict[PlanName, Execute] = field(default_factory=dict)

    def execute(self, name: PlanName) -> Execute:
        """The function that runs by a plan, built once. Raises EncoderFailed where it cannot be."""
        if name not in self.built:
            try:
                self.built[name] = build(name, self.task)
                self.built[name](self._images[:1])
            except Exception as error:  # compilers and converters raise anything
                self.built.pop(name, None)
                raise EncoderFailed(
                    f"This encoder cannot run by plan '{name}' here: {_first_line(error)}."
                ) from error
        return self.built[name]

    def agreement(self, name: PlanName) -> Agreement:
        """How close a plan's embeddings are to float32's. Raises EncoderFailed if it cannot run."""
        return compare(self._embed(name), self._reference)

    def decide(self) -> Decision:
        """The fastest plan that agrees with float32; a plainer one where the gain is not clear."""
        agreements = self._agreeing()
        curves = self.measure(list(agreements))
        rates = {name: max(curve.values()) for name, curve in curves.items()}
        chosen = fastest(rates)
        log.info(
            "measured plans",
            chosen=chosen,
            images_per_second={n: round(r) for n, r in rates.items()},
        )
        return Decision(chosen, curves[chosen], curves[REFERENCE], agreements[chosen])

    def measure(self, names: list[PlanName]) -> dict[PlanName, Curve]:
        """Images per second of plans by batch size, measured in turns so that all see the same noise."""
        runs: dict[PlanName, Execute] = {name: self.execute(name) for name in names}
        sizes = BATCHES["cuda" if self.task.device == "cuda" else "cpu"]
        return interleaved(
            runs, [np.resize(self._images, (n, *self._images.shape[1:])) for n in sizes]
        )

    def lead(self, name: PlanName, batch: int) -> float:
        """How many times as fast as float32 a plan runs in this process. Raises EncoderFailed."""
        names: tuple[PlanName, PlanName] = (REFERENCE, name)
        runs = {each: self.execute(each) for each in names}
        curves = interleaved(runs, [self._images[:batch]])
        return curves[name][batch] / curves[REFERENCE][batch]

    def _agreeing(self) -> dict[PlanName, Agreement]:
        """The plans that may serve in float32's place; why others may not is logged."""
        found: dict[PlanName, Agreement] = {}
        for name in available(self.task.device):
            if not ENGINES[name].automatic:
                continue
            try:
                agreement = self.agreement(name)
            except EncoderFailed as error:
                log.warning("plan cannot run", plan=name, reason=error.detail)
                continue
            if agreement.holds:
                found[name] = agreement
            else:
                log.info("plan disagrees with float32", plan=name, agreement=agreement)
        return found

    def _embed(self, name: PlanName) -> NDArray[np.float32]:
        execute = self.execute(name)
        with torch.inference_mode():
            parts = [
                self.tail(execute(part)).cpu().numpy() for part in np.array_split(self._images, 3)
            ]
        return np.concatenate(parts)

    @cached_property
    def _images(self) -> Pixels:
        return calibration_images(*self.task.size)

    @cached_property
    def _reference(self) -> NDArray[np.float32]:
        return self._embed(REFERENCE)


def compare(embeddings: NDArray[np.float32], reference: NDArray[np.float32]) -> Agreement:
    """How close embeddings (n, dim), of any norm, are to those of float32 for the same images."""
    ours, theirs = _unit(embeddings), _unit(reference)
    cosines = (ours * theirs).sum(axis=1)
    shared = [len(a & b) / NEIGHBOURS for a, b in zip(_near(ours), _near(theirs), strict=True)]
    # NaN, from features that overflowed, is no agreement at all; min() would hide it.
    cosine = float(cosines.min()) if np.isfinite(cosines).all() else -1.0
    return Agreement(cosine, float(np.mean(shared)))


def fastest(rates: Mapping[PlanName, float]) -> PlanName:
    """The plan of the highest rate, or the first, plainest one that is not clearly slower."""
    best = max(rates.values())
    return next(name for name, rate in rates.items() if rate * CLEARLY >= best)


def interleaved(runs: Mapping[PlanName, Execute], batches: list[Pixels]) -> dict[PlanName, Curve]:
    """Images per second of each run at each batch size, in its median round, after one to warm up.

    Runs that are far behind make do with one round, and leave the time to the others.
    """
    seconds: dict[tuple[PlanName, int], list[float]] = {}
    going, start = dict(runs), time.perf_counter()
    for done in range(1 + ROUNDS):
        if done > 1 and time.perf_counter() - start > BUDGET_S:
            break
        if done == 2:
            rates = {name: max(_rates(seconds, name, batches).values()) for name in going}
            going = {n: going[n] for n in rates if rates[n] >= MAY_LEAD * max(rates.values())}
        for pixels in batches:
            for name, execute in going.items():
                seconds.setdefault((name, len(pixels)), []).append(_seconds(execute, pixels))
    return {name: _rates(seconds, name, batches) for name in runs}


def _rates(
    seconds: Mapping[tuple[PlanName, int], list[float]], name: PlanName, batches: list[Pixels]
) -> Curve:
    return {len(one): len(one) / statistics.median(seconds[name, len(one)][1:]) for one in batches}


def _seconds(execute: Execute, pixels: Pixels) -> float:
    start = time.perf_counter()
    if execute(pixels).is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _unit(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.where(norms > 0, norms, 1)).astype(np.float32)


def _near(unit: NDArray[np.float32]) -> list[set[int]]:
    """The nearest neighbours of each embedding, itself left out."""
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return [set(row) for row in np.argsort(-cosines, axis=1)[:, :NEIGHBOURS].tolist()]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0].rstrip('.')}"
