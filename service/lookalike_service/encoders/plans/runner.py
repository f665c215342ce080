"""From a network to the fastest way that this machine runs it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import structlog
import torch
from torch import Tensor, nn

from lookalike_service.encoders.plans import decisions
from lookalike_service.encoders.plans.calibration import (
    CLEARLY,
    REFERENCE,
    Calibration,
    Decision,
)
from lookalike_service.encoders.plans.engines import (
    ENGINES,
    Execute,
    Normalisation,
    Task,
    available,
)
from lookalike_service.encoders.plans.plan import Agreement, Chosen, Plan
from lookalike_service.errors import EncoderFailed
from lookalike_service.images import Pixels
from lookalike_service.settings import PlanName, Settings

log = structlog.get_logger(__name__)


class Runner:
    """Runs one network by its plan. Thread-safe."""

    def __init__(self, plan: Plan, execute: Execute) -> None:
        self.plan = plan
        self._execute = execute

    def run(self, pixels: Pixels) -> Tensor:
        """The backbone's features, float32, of uint8 (n, H, W, 3), n ≥ 1, on the plan's device.

        Batches larger than the plan's `batch_size` run in even parts.
        """
        most = self.plan.batch_size
        parts = 1 if most is None else math.ceil(len(pixels) / most)
        if parts == 1:
            return self._execute(pixels)
        return torch.cat([self._execute(part) for part in np.array_split(pixels, parts)])


def prepare(
    backbone: nn.Module,
    tail: Callable[[Tensor], Tensor],
    *,
    size: tuple[int, int],
    normalisation: Normalisation,
    network: str,
    settings: Settings,
) -> Runner:
    """Choose how to run a backbone: measured at first start, recalled and checked later, or as set.

    `backbone`: eval, frozen, float32; normalised (n, 3, H, W) to maps or tokens. It is not changed, but is
    moved to the GPU where there is one. `tail`: its features, there, to embeddings (n, dim) of any norm.
    `size`: height and width. `network`: what identifies backbone, weights and tail: a space's id.

    Measuring takes seconds. Raises EncoderFailed if `settings.plan` cannot run here, or disagrees with
    float32.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    task = Task(backbone.to(device), normalisation, size, device)
    calibration = Calibration(task, tail)
    if settings.plan == "auto":
        decision, chosen = _measured_or_stored(calibration, network, settings)
    else:
        decision, chosen = _as_set(calibration, settings.plan)
    execute = calibration.execute(decision.plan)
    plan = _plan(decision, task, chosen, execute.streams)
    log.info("plan", network=network, plan=plan.name, chosen=chosen, agreement=plan.agreement)
    return Runner(plan, execute)


def _as_set(calibration: Calibration, name: PlanName) -> tuple[Decision, Chosen]:
    if name == REFERENCE:  # agrees with itself, and is not worth a start's time to measure
        return Decision(name, {}, {}, Agreement(1.0, 1.0)), "set"
    known = available(calibration.task.device)
    if name not in known:
        raise EncoderFailed(
            f"There is no plan '{name}' on {calibration.task.device} here, as LOOKALIKE_PLAN asks; "
            f"there are: {', '.join(known)}."
        )
    agreement = calibration.agreement(name)
    if not agreement.holds:
        raise EncoderFailed(
            f"Plan '{name}', set by LOOKALIKE_PLAN, disagrees with float32: cosine "
            f"{agreement.cosine:.4f} (at least 0.999 is needed), {agreement.neighbours:.0%} of nearest "
            "neighbours in common (95 %). Leave LOOKALIKE_PLAN unset, or set it to 'float32'."
        )
    curves = calibration.measure([REFERENCE, name])
    return Decision(name, curves[name], curves[REFERENCE], agreement), "set"


def _measured_or_stored(
    calibration: Calibration, network: str, settings: Settings
) -> tuple[Decision, Chosen]:
    known = decisions.circumstances(network, calibration.task.device)
    stored = decisions.recall(settings.cache, known)
    if stored is not None and (current := _still_good(calibration, stored)):
        return current, "stored"
    log.info("measuring how this machine runs the encoder best, once: seconds to minutes")
    decision = calibration.decide()
    decisions.remember(settings.cache, known, decision)
    return decision, "measured"


def _still_good(calibration: Calibration, stored: Decision) -> Decision | None:
    """The stored decision with today's agreement; None, logged, if the plan is wrong or slow in this process.

    The same code was seen at half of float32's speed in another process, so trust ends with the process.
    """
    if stored.plan == REFERENCE:
        return stored
    try:
        agreement = calibration.agreement(stored.plan)
        now = calibration.lead(stored.plan, stored.checked_batch)
    except EncoderFailed as error:
        log.warning("stored plan fails, measuring again", plan=stored.plan, reason=error.detail)
        return None
    if not agreement.holds or now < CLEARLY:
        log.warning(
            "stored plan lost its worth, measuring again",
            plan=stored.plan,
            agreement=agreement,
            lead=now,
            stored_lead=stored.lead,
        )
        return None
    return replace(stored, agreement=agreement)


def _plan(decision: Decision, task: Task, chosen: Chosen, streams: int) -> Plan:
    engine = ENGINES[decision.plan]
    return Plan(
        name=decision.plan,
        engine=engine.kind,
        device=task.device,
        dtype=engine.dtype,
        layout=engine.layout,
        chosen=chosen,
        images_per_second=decision.images_per_second,
        agreement=decision.agreement,
        streams=streams,
        copied_bytes=engine.copied_bytes(task.backbone),
    )
