"""Each encoder by its plan, against the plain ways of running the same network, in one process.

Weights are random: speed does not depend on them. Every way is measured in turns with the others, so that
what else the machine does slows all of them alike. Only ways whose embeddings agree with float32 compete.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lookalike_service.encoders.plans.process import tune_process

tune_process()  # as `lookalike serve` does, before torch

import open_clip  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from lookalike_service.encoders.plans.calibration import compare  # noqa: E402
from lookalike_service.encoders.plans.engines import Normalisation  # noqa: E402
from lookalike_service.encoders.plans.runner import Runner, prepare  # noqa: E402
from lookalike_service.encoders.plans.samples import calibration_images  # noqa: E402
from lookalike_service.images import Pixels  # noqa: E402
from lookalike_service.settings import Settings  # noqa: E402

TIMM = ("resnet50", "efficientnet_b0", "tf_efficientnet_lite0", "convnext_tiny")
CLIP = "ViT-B-32"
BATCH, ROUNDS, SIZE = 16, 7, (224, 224)
NORMALISATION = Normalisation((0.5,) * 3, (0.5,) * 3)

Way = Callable[[Pixels], Tensor]


class Features(nn.Module):
    """A timm network up to its last features."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = timm.create_model(name)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images to maps."""
        features: Tensor = self.model.forward_features(images)  # type: ignore[operator] # timm's method
        return features


def networks() -> Iterator[tuple[str, nn.Module]]:
    torch.manual_seed(0)
    for name in TIMM:
        yield name, Features(name).eval().requires_grad_(requires_grad=False)
    clip = open_clip.create_model(CLIP, pretrained=None).visual
    yield CLIP, clip.eval().requires_grad_(requires_grad=False)


def tail(features: Tensor) -> Tensor:
    """Features to embeddings: the average of maps, the vectors of a CLIP tower as they are."""
    return features.mean(dim=(2, 3)) if features.ndim == 4 else features


# -- the plain ways, as anyone would write them


def plain_ways(backbone: nn.Module) -> dict[str, Way]:
    """Eager float32 and bfloat16, either layout, compiled, and OpenVINO's defaults."""
    last = torch.channels_last
    return {
        "float32": eager(backbone, torch.float32),
        "float32 channels_last": eager(
            copy.deepcopy(backbone).to(memory_format=last), torch.float32
        ),
        "bfloat16": eager(copy.deepcopy(backbone).bfloat16(), torch.bfloat16),
        "bfloat16 channels_last": eager(
            copy.deepcopy(backbone).bfloat16().to(memory_format=last), torch.bfloat16
        ),
        "compiled": eager(torch.compile(copy.deepcopy(backbone)), torch.float32),
        "compiled bfloat16": eager(
            torch.compile(copy.deepcopy(backbone).bfloat16()), torch.bfloat16
        ),
        "openvino": openvino(backbone),
    }


def samples(pixels: Pixels) -> Tensor:
    return torch.tensor(pixels).permute(0, 3, 1, 2) / 127.5 - 1


def eager(model: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Way:
    def run(pixels: Pixels) -> Tensor:
        with torch.inference_mode():
            return model(samples(pixels).to(dtype)).float()

    return run


def openvino(backbone: nn.Module) -> Way:
    import openvino  # noqa: PLC0415 - an optional extra

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing
        model = openvino.convert_model(backbone, example_input=torch.zeros(2, 3, *SIZE))
    compiled = openvino.compile_model(model, "CPU")

    def run(pixels: Pixels) -> Tensor:
        return torch.from_numpy(compiled(samples(pixels).contiguous().numpy())[0])

    return run


# -- measuring


@dataclass(frozen=True)
class Measured:
    """Images per second in each round by way, `ours` among them.

    `matmul`: floating-point operations per second of a large matrix product in our type, in each round.
    """

    rates: dict[str, list[float]]
    matmul: list[float]
    plan: str

    def ratio(self, way: str) -> float:
        """Ours by a plain way's, the median of the rounds'."""
        pairs = zip(self.rates["ours"], self.rates[way], strict=True)
        return statistics.median(ours / plain for ours, plain in pairs)

    def fraction(self, operations: int) -> float:
        """Of the matrix product's rate, the median of the rounds'."""
        pairs = zip(self.rates["ours"], self.matmul, strict=True)
        return statistics.median(ours * operations / peak for ours, peak in pairs)


def measure(name: str, backbone: nn.Module) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        runner: Runner = prepare(
            backbone,
            tail,
            size=SIZE,
            normalisation=NORMALISATION,
            network=name,
            settings=Settings(cache=Path(folder), plan="auto"),
        )
    images = calibration_images(*SIZE)
    ways = plain_ways(backbone)
    reference = tail(ways["float32"](images)).numpy()
    fit = {
        way: run for way, run in ways.items() if compare(tail(run(images)).numpy(), reference).holds
    }
    assert compare(tail(runner.run(images)).numpy(), reference).holds
    runs = fit | {"ours": runner.run}
    rates: dict[str, list[float]] = {way: [] for way in runs}
    matmul = []
    for number in range(1 + ROUNDS):
        for way, run in runs.items():
            start = time.perf_counter()
            run(images[:BATCH])
            if number:  # the first round warms up
                rates[way].append(BATCH / (time.perf_counter() - start))
        if number:
            matmul.append(matmul_rate(getattr(torch, runner.plan.dtype)))
    return Measured(rates, matmul, runner.plan.name)


def operations(backbone: nn.Module) -> int:
    """Floating-point operations per image, of its convolutions and matrix products."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - torch is imported late

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(torch.zeros(1, 3, *SIZE))
    total: int = counter.get_total_flops()
    return total


def matmul_rate(dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product; the best of several."""
    n = 2048
    a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, backbone in networks():
        measured = measure(name, backbone)
        medians = {way: statistics.median(rates) for way, rates in measured.rates.items()}
        best = max(medians.keys() - {"ours"}, key=lambda way: medians[way])
        figures |= {
            f"{name}: {measured.plan} images/s": medians["ours"],
            f"{name}: best plain way, {best}, images/s": medians[best],
            f"{name}: ours / best plain (target >= 0.9)": measured.ratio(best),
            f"{name}: ours / eager float32": measured.ratio("float32"),
            f"{name}: fraction of matmul rate": measured.fraction(operations(backbone)),
        }
        torch.compiler.reset()
        print(name, {way: round(rate, 1) for way, rate in medians.items()}, flush=True)
    return figures
