"""Decisions kept from start to start: a JSON file per machine, versions and network, in the cache folder."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import tempfile
from importlib import metadata
from pathlib import Path

import structlog
import torch
from pydantic import TypeAdapter, ValidationError

from lookalike_service.encoders.plans.calibration import Decision

log = structlog.get_logger(__name__)

VERSION = 3
"""Of the plans' code: raised when a plan is added, or runs in another way."""

_DECISION = TypeAdapter(Decision)


def circumstances(network: str, device: str) -> dict[str, str | int]:
    """What a decision holds for: the network, the machine, and the versions of what runs there."""
    return {
        "network": network,
        "plans": VERSION,
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "torch": torch.__version__,
        "openvino": metadata.version("openvino")
        if importlib.util.find_spec("openvino")
        else "none",
    }


def recall(folder: Path, known: dict[str, str | int]) -> Decision | None:
    """The decision made earlier in the same circumstances; None, logged, where it cannot be read."""
    file = _file(folder, known)
    try:
        return _DECISION.validate_python(json.loads(file.read_bytes())["decision"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        log.warning(
            "stored plan cannot be read, measuring again", file=str(file), error=repr(error)
        )
        return None


def remember(folder: Path, known: dict[str, str | int], decision: Decision) -> None:
    """Keep a decision; one that cannot be written is logged, and measured again at the next start."""
    file = _file(folder, known)
    record = {"circumstances": known, "decision": _DECISION.dump_python(decision, mode="json")}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: services that start together write the same name.
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as stream:
            json.dump(record, stream, indent=2)
        Path(stream.name).replace(file)
    except OSError as error:
        log.warning("plan cannot be stored", file=str(file), error=repr(error))


def _file(folder: Path, known: dict[str, str | int]) -> Path:
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
    return folder / "plans" / f"{digest}.json"


def _processor() -> str:
    """The processor's model, and a digest of its features, which hypervisors may hide."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {name.strip(): value.strip() for name, value in facts.items()}
    features = named.get("flags") or named.get("Features", "")
    digest = hashlib.sha256(features.encode()).hexdigest()[:8]
    return f"{named.get('model name', platform.machine())} {digest}"
