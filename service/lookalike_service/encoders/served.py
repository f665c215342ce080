"""The encoders that one service offers: each loads on first use, and leaves memory again when idle."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import InvalidField, SpaceMismatch, UnknownModel
from lookalike_service.spaces import Space
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass
class _Seat:
    """One offered encoder: loaded or not, and when it was last asked for."""

    encoder: Encoder | None = None
    used: float = 0.0
    loading: threading.Lock = field(default_factory=threading.Lock)


class ServedEncoders:
    """Encoders by canonical spec; the first is the default and stays loaded. Thread-safe.

    Others are unloaded after `idle_seconds`, or earlier, the longest unused first, when the weights of all
    exceed `budget_bytes`. What is being computed with an unloaded encoder is finished. `discover` tells of
    encoders that came later, such as those trained here.
    """

    def __init__(
        self,
        specs: Sequence[str],
        load: Callable[[str], Encoder],
        *,
        budget_bytes: int,
        idle_seconds: float,
        discover: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
    ) -> None:
        self._load, self._discover, self._clock = load, discover, clock
        self._budget_bytes, self._idle_seconds = budget_bytes, idle_seconds
        canonical = [str(EncoderSpec.parse(spec)) for spec in specs]
        self._seats = {spec: _Seat() for spec in dict.fromkeys(canonical)}
        self.configured = frozenset(self._seats)
        """The specs given at start."""
        self._changing = threading.Lock()
        self._metrics = metrics or Metrics()

    @property
    def default(self) -> str:
        """The spec of the default encoder."""
        return next(iter(self._seats))

    def __iter__(self) -> Iterator[tuple[str, Encoder | None]]:
        """Every offered spec, with its encoder where that is loaded."""
        self._add_discovered()
        return iter([(spec, seat.encoder) for spec, seat in self._seats.items()])

    def get(self, model: str | None = None) -> Encoder:
        """The encoder of a spec, the default one for None; loading may take seconds.

        Raises UnknownModel naming what is offered, and what loading raises: InvalidModel, WeightsMissing.
        """
        spec = self.default if model is None else self._offered(model)
        seat = self._seats[spec]
        with seat.loading:
            if seat.encoder is None:
                seat.encoder = self._loaded(spec)
            seat.used = self._clock()
            encoder = seat.encoder
        self.unload_idle(keep=spec)
        return encoder

    def loaded(self, model: str | None = None) -> Encoder | None:
        """The encoder of a canonical spec if it is in memory, without waiting for anything."""
        seat = self._seats.get(self.default if model is None else model)
        if seat is None or seat.encoder is None:
            return None
        seat.used = self._clock()
        return seat.encoder

    def in_memory(self) -> dict[str, Encoder]:
        """The loaded encoders by spec."""
        seats = list(self._seats.items())
        return {spec: seat.encoder for spec, seat in seats if seat.encoder is not None}

    def of(self, space: Space) -> Encoder:
        """The encoder that makes vectors of a space. Raises as `get` and `check_space`."""
        encoder = self.get(space.model)
        check_space(encoder, space)
        return encoder

    def unload_idle(self, keep: str | None = None) -> None:
        """Unload what has been idle for long, and what exceeds the budget, longest unused first."""
        with self._changing:
            kept = {self.default, keep}
            loaded = [
                (spec, seat)
                for spec, seat in sorted(self._seats.items(), key=lambda item: item[1].used)
                if seat.encoder is not None
            ]
            size = sum(seat.encoder.info.memory_bytes for _, seat in loaded if seat.encoder)
            for spec, seat in loaded:
                idle = self._clock() - seat.used > self._idle_seconds
                if spec in kept or seat.encoder is None or not (idle or size > self._budget_bytes):
                    continue
                size -= seat.encoder.info.memory_bytes
                seat.encoder = None
                reason = "idle" if idle else "budget"
                self._metrics.encoder_unloads.labels(reason).inc()
                log.info("unloaded encoder", model=spec, reason=reason)

    def _loaded(self, spec: str) -> Encoder:
        log.info("loading encoder", model=spec)
        outcome = "failed"
        try:
            with self._metrics.encoder_load_seconds.time():
                encoder = self._load(spec)
            outcome = "ok"
        finally:
            self._metrics.encoder_loads.labels(outcome).inc()
        return encoder

    def _add_discovered(self) -> None:
        for spec in self._discover():
            self._seats.setdefault(str(EncoderSpec.parse(spec)), _Seat())

    def _offered(self, model: str) -> str:
        try:
            spec = str(EncoderSpec.parse(model))
        except (InvalidField, UnknownModel) as error:
            raise UnknownModel(f"{error.detail} Offered here: {', '.join(self._seats)}.") from error
        if spec not in self._seats:
            self._add_discovered()
        if spec not in self._seats:
            close = difflib.get_close_matches(spec, self._seats, n=3, cutoff=0.3)
            raise UnknownModel(
                f"'{spec}' is not offered here; offered: {', '.join(close or self._seats)}. "
                "Start the service with it in LOOKALIKE_MODELS."
            )
        return spec


def check_space(encoder: Encoder, space: Space) -> None:
    """Return if an encoder makes vectors of a space. Raises SpaceMismatch."""
    if encoder.info.space != space:
        raise SpaceMismatch(
            f"The collection holds vectors of space {space.id}, but '{encoder.info.model}' makes space "
            f"{encoder.info.space.id} here: its weights, pooling or preprocessing differ. Serve the "
            "former ones, or index into a new collection."
        )
