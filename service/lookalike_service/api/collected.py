"""Metrics that are states, read when they are scraped."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lookalike_service import __version__
from lookalike_service.api.context import Context
from lookalike_service.encoders.served import ServedEncoders

_ROLES = {"store.engine_process": "store", "jobs.worker_process": "jobs"}


class Collected(Collector):
    """What a running service is at this moment: queue, encoders, caches, processes, GPUs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would otherwise collect when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family with its present values."""
        yield _gauge(
            "lookalike_build_info",
            "1; the versions are its labels.",
            ("version", "python"),
            {(__version__, platform.python_version()): 1},
        )
        yield from self._queue()
        yield from _encoders(self._context.encoders)
        yield from self._caches()
        yield from _processes()
        yield from _gpus()

    def _queue(self) -> Iterator[Metric]:
        embedder = self._context.embedder
        for name, what, value in (
            ("images", "Images accepted and not yet answered.", embedder.in_flight),
            ("images_limit", "Most images that are accepted at a time.", embedder.capacity),
            ("pixels", "Pixels of the images accepted.", embedder.pixels_in_flight),
            ("pixels_limit", "Most pixels that are accepted at a time.", embedder.pixel_capacity),
        ):
            yield GaugeMetricFamily(f"lookalike_queue_{name}", what, value)

    def _caches(self) -> Iterator[Metric]:
        seen = self._context.seen
        lookups = CounterMetricFamily(
            "lookalike_cache_lookups",
            "Lookups in a cache, found or not.",
            labels=("cache", "outcome"),
        )
        lookups.add_metric(("explained", "hit"), seen.hits)
        lookups.add_metric(("explained", "miss"), seen.misses)
        yield lookups
        held = GaugeMetricFamily(
            "lookalike_cache_bytes", "Memory that a cache holds.", labels=("cache",)
        )
        held.add_metric(("explained",), seen.size)
        yield held


def _encoders(encoders: ServedEncoders) -> Iterator[Metric]:
    """Those of the settings by name; those trained here together, for users name them."""
    loaded: Counter[tuple[str, ...]] = Counter()
    memory: Counter[tuple[str, ...]] = Counter()
    for spec, encoder in encoders.in_memory().items():
        name = (spec if spec in encoders.configured else "trained",)
        loaded[name] += 1
        memory[name] += encoder.info.memory_bytes
    yield _gauge("lookalike_encoders_loaded", "Encoders in memory.", ("model",), loaded)
    yield _gauge(
        "lookalike_encoder_memory_bytes", "Memory of loaded encoders' weights.", ("model",), memory
    )


def _processes() -> Iterator[Metric]:
    """This process's threads, and the memory of the processes that it started."""
    process = psutil.Process()
    yield GaugeMetricFamily(
        "lookalike_process_threads", "Threads of the service's process.", process.num_threads()
    )
    resident: Counter[tuple[str, ...]] = Counter()
    for child in process.children(recursive=True):
        try:
            command = child.cmdline()
            role = next(
                (r for m, r in _ROLES.items() if f"lookalike_service.{m}" in command), "other"
            )
            resident[(role,)] += child.memory_info().rss
        except psutil.Error:  # it ended meanwhile
            continue
    yield _gauge(
        "lookalike_child_resident_memory_bytes",
        "Resident memory of the processes that the service started.",
        ("role",),
        resident,
    )


def _gpus() -> Iterator[Metric]:
    """Memory of each GPU, once the service uses one; asking earlier would itself take memory of it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return
    values: dict[tuple[str, ...], float] = {}
    for device in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(device)
        values[str(device), "total"], values[str(device), "free"] = total, free
        values[str(device), "reserved"] = torch.cuda.memory_reserved(device)
    yield _gauge(
        "lookalike_gpu_memory_bytes",
        "Memory of a GPU: total, free, and reserved by this process.",
        ("device", "kind"),
        values,
    )


def _gauge(
    name: str,
    what: str,
    labels: tuple[str, ...],
    values: Mapping[tuple[str, ...], float],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
