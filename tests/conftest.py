"""Shared by all tests: plain float32 encoders, and where the optional test pictures are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

# Answers must not depend on what was measured to be fast on the machine that runs the tests.
os.environ.setdefault("LOOKALIKE_PLAN", "float32")


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Journals of indexing runs are none of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_logger_is_kept() -> Iterator[None]:
    """`capture_logs` does not hear loggers that were kept as a command in this process configured them."""
    configure = structlog.configure

    def configure_anew(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_anew)
        yield


@pytest.fixture(scope="session")
def clothing() -> Path:
    """Photographs of clothes in one folder per class; skips where they are not at hand."""
    root = Path(os.environ.get("LOOKALIKE_SHARED", Path(__file__).parents[2] / "shared"))
    folder = root / "data" / "clothing"
    if not folder.is_dir():
        pytest.skip(f"the clothing photographs are not at {folder}")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch on one thread: on tensors as small as tests have, more only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
