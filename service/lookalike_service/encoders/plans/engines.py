"""The ways to run a network: each turns a float32 backbone into a function from pixels to features."""

from __future__ import annotations

import copy
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from lookalike_service.encoders.plans import streams
from lookalike_service.encoders.plans.folding import fold_batch_norms
from lookalike_service.images import Pixels
from lookalike_service.settings import PlanName


class Execute(Protocol):
    """Runs a network; thread-safe."""

    streams: int
    """How many calls run side by side; others wait for their turn."""

    def __call__(self, pixels: Pixels) -> Tensor:
        """uint8 (n, H, W, 3) to the backbone's features, float32, on the engine's device."""


class OneAtATime:
    """Calls in turn, where two side by side would only share the device."""

    streams = 1

    def __init__(self, run: Callable[[Pixels], Tensor]) -> None:
        self._run, self._turn = run, threading.Lock()

    def __call__(self, pixels: Pixels) -> Tensor:
        """uint8 (n, H, W, 3) to features."""
        with self._turn:
            return self._run(pixels)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation per channel, for samples in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class FromPixels(nn.Module):
    """A backbone from uint8 (n, H, W, 3): normalises, runs in the weights' type, gives float32."""

    def __init__(
        self, backbone: nn.Module, normalisation: Normalisation, dtype: torch.dtype
    ) -> None:
        super().__init__()
        mean, std = torch.tensor(normalisation.mean), torch.tensor(normalisation.std)
        # (x / 255 - mean) / std as one multiplication and one addition, per channel.
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * std)).view(3, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).view(3, 1, 1), persistent=False)
        self.backbone = backbone
        self.dtype = dtype

    def forward(self, pixels: Tensor) -> Tensor:
        """Only the shape is permuted: memory stays channels-last, which convolves faster."""
        samples = pixels.permute(0, 3, 1, 2) * self.scale + self.shift
        features: Tensor = self.backbone(samples.to(self.dtype))
        return features.float()


@dataclass(frozen=True, slots=True)
class Task:
    """A network to run: float32 backbone, normalisation, input height and width, and the device."""

    backbone: nn.Module
    normalisation: Normalisation
    size: tuple[int, int]
    device: str


@dataclass(frozen=True, slots=True)
class Engine:
    """What a plan's name stands for, and how it is built.

    `automatic`: whether calibration tries it; the others run only when set. `copies`: of the weights, in
    `dtype`, that it keeps beside the backbone's own.
    """

    kind: Literal["eager", "compiled", "openvino", "cuda graphs"]
    dtype: Literal["float32", "bfloat16", "float16"]
    layout: Literal["as given", "channels last", "engine's own"]
    devices: frozenset[str]
    build: Callable[[Task, Engine], Execute]
    automatic: bool = True
    copies: int = 1

    def copied_bytes(self, backbone: nn.Module) -> int:
        """What the copies of a backbone's weights take, at least: engines pad and reorder them."""
        numbers = sum(weight.numel() for weight in backbone.parameters())
        dtype: torch.dtype = getattr(torch, self.dtype)
        return self.copies * numbers * dtype.itemsize


def available(device: str) -> list[PlanName]:
    """The plans that there are on a device, plainest first; the first is the reference."""
    openvino = importlib.util.find_spec("openvino") is not None
    return [
        name
        for name, engine in ENGINES.items()
        if device in engine.devices and (engine.kind != "openvino" or openvino)
    ]


def build(name: PlanName, task: Task) -> Execute:
    """The function that runs a task by a plan. Raises whatever its libraries raise where it cannot."""
    return ENGINES[name].build(task, ENGINES[name])


# -- eager and compiled


def _reference(task: Task, _: Engine) -> Execute:
    """The backbone as it is, with no weight copied."""
    module = FromPixels(task.backbone, task.normalisation, torch.float32)
    return _eager(module.to(task.device), task.device)


def _optimised(task: Task, engine: Engine) -> Execute:
    return _eager(_converted(task, engine), task.device)


def _compiled(task: Task, engine: Engine) -> Execute:
    """Inductor, in one compilation for every batch size; it takes about a minute."""
    return _eager(torch.compile(_converted(task, engine), dynamic=True), task.device)


def _converted(task: Task, engine: Engine) -> FromPixels:
    """A copy with folded batch norms, in the engine's type, channels last, on the device."""
    dtype = getattr(torch, engine.dtype)
    copied = copy.deepcopy(task.backbone).cpu()
    fold_batch_norms(copied, torch.zeros(1, 3, *task.size))
    copied = copied.to(dtype).to(memory_format=torch.channels_last)
    return FromPixels(copied, task.normalisation, dtype).to(task.device)


def _eager(module: Callable[[Tensor], Tensor], device: str) -> Execute:
    def execute(pixels: Pixels) -> Tensor:
        # A copy, since arrays of decoded pixels are read-only; pinned, it travels beside computation.
        samples = torch.tensor(pixels)
        if device == "cuda":
            samples = samples.pin_memory().to(device, non_blocking=True)
        with torch.inference_mode():
            return module(samples)

    return OneAtATime(execute)


# -- OpenVINO


def _openvino(task: Task, engine: Engine) -> Execute:
    module = FromPixels(task.backbone, task.normalisation, torch.float32)
    return streams.compile_streams(module, task.size, _PRECISION[engine.dtype])


_PRECISION = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}


# -- CUDA graphs


def _cuda_graphs(task: Task, engine: Engine) -> Execute:
    """One graph per power of two; a batch runs in the smallest that holds it, the rest left over."""
    module = _converted(task, engine)
    graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def capture(capacity: int) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        inputs = torch.zeros(capacity, *task.size, 3, dtype=torch.uint8, device=task.device)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch's code
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(3):  # workspaces and autotuning, which a graph must not record
                module(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(graph):
            outputs = module(inputs)
        return graph, inputs, outputs

    def execute(pixels: Pixels) -> Tensor:
        count = len(pixels)
        capacity = 1 << (count - 1).bit_length()
        with torch.inference_mode():
            if capacity not in graphs:
                graphs[capacity] = capture(capacity)
            graph, inputs, outputs = graphs[capacity]
            inputs[:count].copy_(torch.tensor(pixels).pin_memory(), non_blocking=True)
            graph.replay()
            return outputs[:count].clone()

    return OneAtATime(execute)


_CPU, _CUDA = frozenset({"cpu"}), frozenset({"cuda"})

ENGINES: dict[PlanName, Engine] = {
    "float32": Engine("eager", "float32", "as given", _CPU | _CUDA, _reference, copies=0),
    "float32-folded": Engine("eager", "float32", "channels last", _CPU, _optimised),
    "bfloat16": Engine("eager", "bfloat16", "channels last", _CPU | _CUDA, _optimised),
    "float16": Engine("eager", "float16", "channels last", _CUDA, _optimised),
    "openvino-float32": Engine("openvino", "float32", "engine's own", _CPU, _openvino, copies=2),
    "openvino-float16": Engine("openvino", "float16", "engine's own", _CPU, _openvino, copies=2),
    "openvino-bfloat16": Engine("openvino", "bfloat16", "engine's own", _CPU, _openvino, copies=2),
    "float16-graphs": Engine("cuda graphs", "float16", "channels last", _CUDA, _cuda_graphs),
    "bfloat16-compiled": Engine(
        "compiled", "bfloat16", "channels last", _CPU | _CUDA, _compiled, automatic=False
    ),
}
"""Every plan, plainest first."""
