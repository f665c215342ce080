"""Plans are measured, checked against float32, remembered, and never trusted blindly."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs
from torch import Tensor, nn

from lookalike_service.encoders.plans import calibration, engines, runner
from lookalike_service.encoders.plans.calibration import compare, fastest, interleaved
from lookalike_service.encoders.plans.engines import (
    ENGINES,
    Engine,
    Execute,
    Normalisation,
    OneAtATime,
    Task,
)
from lookalike_service.encoders.plans.plan import Agreement, Curve, Plan
from lookalike_service.encoders.plans.runner import Runner, prepare
from lookalike_service.encoders.plans.samples import calibration_images
from lookalike_service.errors import EncoderFailed
from lookalike_service.images import Pixels
from lookalike_service.settings import PlanName, Settings

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (32, 40)
NORMALISATION = Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
CPU_PLANS = engines.available("cpu")


def backbone() -> nn.Module:
    """Two convolutions with batch norms: maps (n, 64, 8, 10)."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 64, 3, stride=2, padding=1),
        nn.BatchNorm2d(64),
    )
    return layers.eval().requires_grad_(requires_grad=False)


def average(maps: Tensor) -> Tensor:
    return maps.mean(dim=(2, 3))


def prepared(folder: Path, plan: Any = "auto", network: str = "tiny") -> Runner:
    return prepare(
        backbone(),
        average,
        size=SIZE,
        normalisation=NORMALISATION,
        network=network,
        settings=Settings(cache=folder, plan=plan),
    )


def expected(pixels: Pixels) -> Tensor:
    samples = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (NORMALISATION.mean, NORMALISATION.std))
    with torch.inference_mode():
        features: Tensor = backbone()((samples - mean) / std)
    return features


@pytest.fixture
def pixels() -> Pixels:
    return calibration_images(*SIZE)


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> dict[PlanName, float]:
    """Images per second that every measurement gives, by plan, at every batch size."""
    rates: dict[PlanName, float] = dict.fromkeys(ENGINES, 10)
    rates["bfloat16"] = 20

    def measured(runs: dict[PlanName, Execute], batches: list[Pixels]) -> dict[PlanName, Curve]:
        return {name: {len(batch): rates[name] for batch in batches} for name in runs}

    monkeypatch.setattr(calibration, "interleaved", measured)
    return rates


@pytest.mark.parametrize("name", [name for name in CPU_PLANS if ENGINES[name].automatic])
@pytest.mark.parametrize("count", [1, 5, 24])
def test_every_plan_gives_the_features_of_float32(
    name: PlanName, count: int, pixels: Pixels
) -> None:
    execute = engines.build(name, Task(backbone(), NORMALISATION, SIZE, "cpu"))
    features, reference = execute(pixels[:count]), expected(pixels[:count])
    assert features.dtype == torch.float32
    assert features.shape == reference.shape
    tolerance = 1e-4 if ENGINES[name].dtype == "float32" else 0.05
    torch.testing.assert_close(features, reference, rtol=tolerance, atol=tolerance)


def test_a_plan_takes_read_only_pixels(pixels: Pixels) -> None:
    pixels.flags.writeable = False
    execute = engines.build("float32", Task(backbone(), NORMALISATION, SIZE, "cpu"))
    torch.testing.assert_close(execute(pixels), expected(pixels), rtol=1e-4, atol=1e-4)


def test_building_a_plan_leaves_the_backbone_as_it_was(pixels: Pixels) -> None:
    own = backbone()
    for name in CPU_PLANS:
        if ENGINES[name].automatic:
            engines.build(name, Task(own, NORMALISATION, SIZE, "cpu"))(pixels[:1])
    assert {p.dtype for p in own.parameters()} == {torch.float32}
    assert sum(isinstance(m, nn.BatchNorm2d) for m in own.modules()) == 2
    for ours, fresh in zip(
        own.state_dict().values(), backbone().state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, fresh, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("streams", "size"),
    [(1, 8), (2, 4), (4, 2), (16, 2)],
)
def test_a_batch_is_a_streams_share_of_the_smallest_that_is_fast_enough(
    streams: int, size: int
) -> None:
    fast_from_8 = curve(n1=40, n2=60, n4=80, n8=91, n16=100, n32=95)
    plan = replace(fast_from_8, streams=streams)
    assert plan.pipelined_batch(32) == size
    assert plan.pipelined_batch(3) == min(size, 3)


@pytest.mark.parametrize(
    ("name", "of_float32"),
    [("float32", 0), ("float32-folded", 1), ("bfloat16", 0.5), ("openvino-float32", 2)],
)
def test_the_copies_that_a_plan_runs_on_are_counted(name: PlanName, of_float32: float) -> None:
    network = backbone()
    weights = sum(weight.numel() * 4 for weight in network.parameters())
    assert ENGINES[name].copied_bytes(network) == of_float32 * weights


def test_what_is_chosen_agrees_with_float32_and_is_reported(tmp_path: Path, pixels: Pixels) -> None:
    tiny = prepared(tmp_path)
    plan = tiny.plan
    assert (plan.name in CPU_PLANS, plan.chosen, plan.device) == (True, "measured", "cpu")
    assert plan.agreement.holds
    assert sorted(plan.images_per_second) == list(calibration.BATCHES["cpu"])
    embeddings = average(tiny.run(pixels)), average(expected(pixels))
    assert torch.nn.functional.cosine_similarity(*embeddings).min() >= 0.999


def test_a_decision_is_stored_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    only(monkeypatch, instant)
    first, second = prepared(tmp_path).plan, prepared(tmp_path).plan
    assert (first.chosen, second.chosen) == ("measured", "stored")
    assert first == replace(second, chosen="measured")
    assert len(list((tmp_path / "plans").iterdir())) == 1


def test_a_stored_decision_holds_for_its_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    only(monkeypatch, instant)
    prepared(tmp_path)
    assert prepared(tmp_path, network="other").plan.chosen == "measured"
    assert len(list((tmp_path / "plans").glob("*.json"))) == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"decision": {"plan": "magic"}}', "\xff"])
def test_a_damaged_decision_is_measured_again_and_logged(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    only(monkeypatch, instant)
    prepared(tmp_path)
    (file,) = (tmp_path / "plans").iterdir()
    file.write_text(content, encoding="latin-1")
    with capture_logs() as logs:
        assert prepared(tmp_path).plan.chosen == "measured"
    assert any("cannot be read" in line["event"] for line in logs)
    assert json.loads(file.read_text())["decision"]["plan"] == "bfloat16"


def test_a_folder_that_cannot_be_written_is_logged_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    only(monkeypatch, instant)
    (tmp_path / "plans").write_text("a file where the folder should be")
    with capture_logs() as logs:
        assert prepared(tmp_path).plan.chosen == "measured"
    assert any("cannot be stored" in line["event"] for line in logs)


# -- plans that deserve no trust


def wrong(task: Task, engine: Engine) -> Execute:
    """An engine that is fast, and whose features are another function's."""
    return OneAtATime(
        lambda pixels: torch.randn(
            len(pixels), 64, 8, 10, generator=torch.Generator().manual_seed(len(pixels))
        )
    )


def broken(task: Task, engine: Engine) -> Execute:
    raise RuntimeError("this processor has no such instruction\nframe 1\nframe 2")


def instant(task: Task, engine: Engine) -> Execute:
    """An engine that is right, and faster than any: it has seen the calibration images before."""
    images = calibration_images(*SIZE)
    seen = [image.tobytes() for image in images]
    known = dict(zip(seen, expected(images), strict=True))
    return OneAtATime(lambda pixels: torch.stack([known[p.tobytes()] for p in pixels]))


def only(monkeypatch: pytest.MonkeyPatch, build: Any) -> None:
    """Leave float32, and this build in the place of bfloat16."""
    engine = Engine("eager", "bfloat16", "channels last", frozenset({"cpu"}), build)
    plans = {"float32": ENGINES["float32"], "bfloat16": engine}
    for module in (engines, calibration, runner):
        monkeypatch.setattr(module, "ENGINES", plans)


@pytest.mark.parametrize(
    ("build", "event"), [(wrong, "plan disagrees with float32"), (broken, "plan cannot run")]
)
def test_an_unfit_plan_is_not_chosen_and_the_log_says_why(
    build: Any, event: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, build)
    with capture_logs() as logs:
        assert prepared(tmp_path).plan.name == "float32"
    assert [line["plan"] for line in logs if line["event"] == event] == ["bfloat16"]


def test_the_faster_of_two_that_agree_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    only(monkeypatch, instant)
    assert prepared(tmp_path / "a").plan.name == "bfloat16"
    rates["float32"] = 2 * rates["bfloat16"]
    assert prepared(tmp_path / "b").plan.name == "float32"


@pytest.mark.parametrize("build", [wrong, broken])
def test_a_stored_plan_that_became_unfit_is_measured_again(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[PlanName, float]
) -> None:
    with monkeypatch.context() as patch:
        only(patch, instant)
        assert prepared(tmp_path).plan.name == "bfloat16"
    only(monkeypatch, build)
    with capture_logs() as logs:
        plan = prepared(tmp_path).plan
    assert (plan.name, plan.chosen) == ("float32", "measured")
    assert any(line["event"].startswith("stored plan") for line in logs)


@pytest.mark.parametrize(("lead", "chosen"), [(1.9, "stored"), (0.5, "measured")])
def test_a_stored_plan_is_kept_while_it_keeps_its_lead(
    lead: float,
    chosen: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rates: dict[PlanName, float],
) -> None:
    only(monkeypatch, instant)
    assert prepared(tmp_path).plan.name == "bfloat16"
    rates["bfloat16"] = rates["float32"] * lead
    assert prepared(tmp_path).plan.chosen == chosen


def test_a_plan_that_is_set_is_used_and_not_stored(tmp_path: Path) -> None:
    plan = prepared(tmp_path, "bfloat16").plan
    assert (plan.name, plan.chosen, plan.dtype) == ("bfloat16", "set", "bfloat16")
    assert not (tmp_path / "plans").exists()


def test_with_every_optimisation_off_the_features_are_those_of_plain_float32(
    tmp_path: Path, pixels: Pixels
) -> None:
    features = prepared(tmp_path, "float32").run(pixels)
    torch.testing.assert_close(features, expected(pixels), rtol=1e-4, atol=1e-4)


def test_a_set_plan_that_disagrees_is_refused_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, wrong)
    with pytest.raises(EncoderFailed, match=r"'bfloat16'.*cosine.*0\.999 is needed.*'float32'"):
        prepared(tmp_path, "bfloat16")


def test_a_set_plan_that_cannot_run_is_refused_with_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, broken)
    with pytest.raises(
        EncoderFailed, match=r"plan 'bfloat16' here: RuntimeError: .*instruction\.$"
    ):
        prepared(tmp_path, "bfloat16")


def test_a_set_plan_of_another_device_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(EncoderFailed, match=r"no plan 'float16-graphs' on cpu .*float32, "):
        prepared(tmp_path, "float16-graphs")


# -- what is decided by


def test_agreement_is_the_worst_cosine_and_the_mean_overlap_of_neighbours() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(24, 16)).astype(np.float32)
    assert compare(3 * reference, reference) == Agreement(pytest.approx(1.0), 1.0)  # type: ignore[arg-type] # stands for a float
    other = reference.copy()
    other[5] = -other[5]
    found = compare(other, reference)
    assert found.cosine == pytest.approx(-1, abs=1e-5)
    assert found.neighbours < 1


def test_embeddings_that_are_not_finite_never_agree() -> None:
    reference = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
    damaged = reference.copy()
    damaged[3, 2] = np.nan
    assert not compare(damaged, reference).holds


def test_all_images_alike_but_neighbours_scrambled_is_no_agreement() -> None:
    rng = np.random.default_rng(0)
    common = np.ones((24, 16), np.float32)
    reference = common + rng.normal(size=common.shape) * 1e-3
    other = common + rng.normal(size=common.shape) * 1e-3
    found = compare(other.astype(np.float32), reference.astype(np.float32))
    assert found.cosine > 0.999
    assert not found.holds


def test_a_plainer_plan_is_kept_where_the_gain_is_not_clear() -> None:
    assert fastest({"float32": 100, "bfloat16": 103}) == "float32"
    assert fastest({"float32": 100, "bfloat16": 200, "openvino-bfloat16": 204}) == "bfloat16"
    assert (
        fastest({"float32": 100, "bfloat16": 90, "openvino-bfloat16": 140}) == "openvino-bfloat16"
    )


class Stopwatch:
    """Runs that take as long as they say, by a clock of their own, and what was run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.calls = 0.0, list[tuple[str, int]]()
        monkeypatch.setattr(calibration, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def run(self, name: str, *seconds: float) -> Execute:
        """One that takes these seconds in turn, again and again."""
        turns = itertools.cycle(seconds)

        def execute(batch: Pixels) -> Tensor:
            self.calls.append((name, len(batch)))
            self.now += next(turns)
            return torch.zeros(1)

        return OneAtATime(execute)


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    return Stopwatch(monkeypatch)


def test_plans_are_measured_in_turns_at_every_batch_size(
    pixels: Pixels, stopwatch: Stopwatch
) -> None:
    runs: dict[PlanName, Execute] = {
        "float32": stopwatch.run("float32", 0.01),
        "bfloat16": stopwatch.run("bfloat16", 0.01),
    }
    curves = interleaved(runs, [pixels[:1], pixels[:4]])
    assert {name: sorted(curve) for name, curve in curves.items()} == {
        "float32": [1, 4],
        "bfloat16": [1, 4],
    }
    turns = [("float32", 1), ("bfloat16", 1), ("float32", 4), ("bfloat16", 4)]
    assert stopwatch.calls[:4] == turns


def test_a_plan_that_was_fast_once_is_not_taken_for_the_fastest(
    pixels: Pixels, stopwatch: Stopwatch
) -> None:
    runs: dict[PlanName, Execute] = {
        "float32": stopwatch.run("float32", 0.03),
        "bfloat16": stopwatch.run("bfloat16", 0.02, 0.01, 0.02, 0.02),
        "openvino-bfloat16": stopwatch.run("openvino-bfloat16", 0.015),
    }
    curves = interleaved(runs, [pixels[:4]])
    assert curves["bfloat16"][4] == pytest.approx(4 / 0.02)
    assert curves["openvino-bfloat16"][4] == pytest.approx(4 / 0.015)


def test_plans_that_are_far_behind_do_not_take_the_time_of_the_others(
    pixels: Pixels, stopwatch: Stopwatch
) -> None:
    runs: dict[PlanName, Execute] = {
        "float32": stopwatch.run("float32", 1.0),
        "bfloat16": stopwatch.run("bfloat16", 0.1),
        "openvino-bfloat16": stopwatch.run("openvino-bfloat16", 0.12),
    }
    curves = interleaved(runs, [pixels[:4]])
    ran = Counter(name for name, _ in stopwatch.calls)
    assert ran["bfloat16"] == ran["openvino-bfloat16"] > ran["float32"] == 2
    assert curves["float32"][4] == pytest.approx(4)


def test_a_network_too_large_for_the_time_is_measured_once(
    pixels: Pixels, stopwatch: Stopwatch
) -> None:
    runs: dict[PlanName, Execute] = {"float32": stopwatch.run("float32", 100.0)}
    assert interleaved(runs, [pixels[:4]])["float32"][4] == pytest.approx(0.04)
    assert len(stopwatch.calls) == 2, "to warm up, and to measure"


def curve(**rates: float) -> Plan:
    return Plan(
        name="float32",
        engine="eager",
        device="cpu",
        dtype="float32",
        layout="as given",
        chosen="measured",
        images_per_second={int(n[1:]): rate for n, rate in rates.items()},
        agreement=Agreement(1.0, 1.0),
    )


def test_the_batch_size_is_the_largest_near_the_highest_rate() -> None:
    assert curve(n1=50, n4=100, n16=98).batch_size == 16
    assert curve(n1=50, n4=100, n16=80).batch_size == 4
    assert curve(n1=50, n4=80, n16=100).batch_size == 16
    assert curve(n1=100, n4=90, n16=60).batch_size == 1


def test_waiting_for_company_never_costs_more_than_it_can_save() -> None:
    assert curve(n1=100, n4=100, n16=100).wait(0.005) == 0
    assert curve(n1=100, n4=200, n16=200).wait(1) == pytest.approx(0.005)
    assert curve(n1=10, n4=40, n16=100).wait(0.005) == 0.005


@pytest.mark.parametrize("count", [1, 4, 5, 9, 17])
def test_a_large_batch_runs_in_even_parts_and_keeps_its_order(count: int) -> None:
    sizes: list[int] = []

    def execute(pixels: Pixels) -> Tensor:
        sizes.append(len(pixels))
        return torch.tensor(pixels[:, 0, 0, 0].astype(np.float32))

    numbered = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    features = Runner(curve(n1=50, n4=100), OneAtATime(execute)).run(numbered)
    assert features.tolist() == list(range(count))
    assert max(sizes) <= 4
    assert max(sizes) - min(sizes) <= 1


def test_calibration_images_are_the_same_every_time_and_all_different() -> None:
    first, second = calibration_images(24, 30), calibration_images(24, 30)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (24, 24, 30, 3)
    assert len({image.tobytes() for image in first}) == len(first)
