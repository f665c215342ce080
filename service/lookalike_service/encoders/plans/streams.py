"""OpenVINO on a CPU: a stream of its own for a core or two, so that cores need not wait for each other.

Cores that share one pass meet at the end of every layer, and all wait there for the one that decodes an
image just then. In streams they run passes of their own.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from lookalike_service.images import Pixels


class Streams:
    """Runs batches in whatever streams are free; a lone image on an idle machine runs on all its cores."""

    def __init__(self, lone: Any, shared: list[Any]) -> None:
        self.streams = len(shared)
        self._lone = lone
        self._free = list(shared)
        self._changed = threading.Condition()

    def __call__(self, pixels: Pixels) -> Tensor:
        """uint8 (n, H, W, 3) to features, float32. Raises RuntimeError as OpenVINO does."""
        with self._taken(len(pixels)) as taken:
            alone = len(pixels) == 1 and len(taken) == self.streams
            requests = [self._lone] if alone else taken
            parts = np.array_split(np.ascontiguousarray(pixels), len(requests))
            with contextlib.ExitStack() as running:  # one that fails leaves none running
                for request, part in zip(requests, parts, strict=True):
                    request.start_async({0: part}, share_inputs=True)  # which it only reads
                    running.callback(request.wait)
            outputs = [request.get_output_tensor(0).data for request in requests]
            return torch.from_numpy(np.concatenate(outputs))

    @contextlib.contextmanager
    def _taken(self, images: int) -> Iterator[list[Any]]:
        """Free streams, at least one: all for one image if none is busy, else no more than images."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            idle = len(self._free) == self.streams
            count = self.streams if idle and images == 1 else min(images, len(self._free))
            taken = [self._free.pop() for _ in range(count)]
        try:
            yield taken
        finally:
            with self._changed:
                self._free.extend(taken)
                self._changed.notify_all()


def compile_streams(module: nn.Module, size: tuple[int, int], precision: str) -> Streams:
    """Compile a module from uint8 (n, H, W, 3), any n; OpenVINO chooses how many streams suit the CPU."""
    # The converter would report its uses to its maker; where this package is missing it does not.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # Python's sign for "missing"
    import openvino  # noqa: PLC0415 - an optional extra

    with torch.no_grad(), warnings.catch_warnings():
        # The converter traces, which torch now advises against, and which warns of each fixed shape.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", TracerWarning)
        example = torch.zeros(2, *size, 3, dtype=torch.uint8)
        model = openvino.convert_model(module, example_input=example)
    model.reshape({0: [-1, *size, 3]})

    def requests(hint: str) -> list[Any]:
        options = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
        compiled = openvino.Core().compile_model(model, "CPU", options)
        return [
            compiled.create_infer_request() for _ in range(compiled.get_property("NUM_STREAMS"))
        ]

    (lone,) = requests("LATENCY")
    return Streams(lone, requests("THROUGHPUT"))
