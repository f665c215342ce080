"""Memory, cores, file descriptors, the temporary folder, GPUs."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning

GIB = 2**30
_LEAST_MEMORY = 2 * GIB
_LEAST_FILES = 2048
_LEAST_TEMPORARY = GIB
CGROUP = Path("/sys/fs/cgroup")
DRIVER = Path("/proc/driver/nvidia/version")


def memory(surroundings: Surroundings) -> Iterator[Finding]:
    """What this process may use, by the machine and its container (cgroup v2)."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup("memory.max")
    allowed = total if limit is None else min(total, int(limit))
    what = f"{allowed / GIB:.1f} GiB" + (" (limit of the container)" if allowed < total else "")
    settings = surroundings.settings
    if allowed < _LEAST_MEMORY:
        todo = "give it 2 GiB or more: encoders, batches and clusterings need them"
        yield warning("memory", what, todo)
    elif settings is not None and settings.model_memory_bytes > allowed / 2:
        half = int(allowed / 2)
        todo = f"set LOOKALIKE_MODEL_MEMORY_BYTES to {half} or less, or offer fewer encoders"
        given = settings.model_memory_bytes / GIB
        yield warning("memory", f"{what}; encoders may take {given:.1f} GiB of it", todo)
    else:
        yield ok("memory", what)


def cores(surroundings: Surroundings) -> Iterator[Finding]:
    """Cores that may be used, against the threads that are started."""
    machine, quota = len(os.sched_getaffinity(0)), _cgroup("cpu.max")
    allowed = float(machine)
    if quota is not None and not quota.startswith("max"):
        share, period = map(int, quota.split())
        allowed = min(allowed, share / period)
    threads = surroundings.settings.decode_threads if surroundings.settings else 0
    if threads > 2 * max(1, round(allowed)):
        todo = f"set LOOKALIKE_DECODE_THREADS and LOOKALIKE_JOB_THREADS to {max(1, round(allowed))}"
        yield warning("cores", f"{allowed:g} may be used; {threads} threads decode", todo)
    else:
        yield ok("cores", f"{allowed:g}")


def _cgroup(name: str) -> str | None:
    """A limit of this process's cgroup; None where there is none."""
    try:
        text = (CGROUP / name).read_text().strip()
    except OSError:
        return None
    return None if text == "max" else text


def files(_: Surroundings) -> Iterator[Finding]:
    """File descriptors: each connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        todo = "raise it: ulimit -n 65536, LimitNOFILE= in systemd, ulimits: in Compose"
        yield warning("file descriptors", f"at most {soft} (may be raised to {hard})", todo)
    else:
        yield ok("file descriptors", f"at most {soft}")


def temporary(_: Surroundings) -> Iterator[Finding]:
    """The folder for uploads and the arrays of jobs."""
    try:
        folder = Path(tempfile.gettempdir())
        with tempfile.TemporaryFile():
            free = shutil.disk_usage(folder).free
    except OSError as error:
        todo = "mount a writable /tmp (a tmpfs will do), or set TMPDIR"
        yield problem("temporary folder", f"nothing can be written there: {error}", todo)
        return
    if free < _LEAST_TEMPORARY:
        todo = "make room: uploads and the arrays of jobs go there"
        yield warning("temporary folder", f"{free / GIB:.2f} GiB free in {folder}", todo)
    else:
        yield ok("temporary folder", f"{folder}, {free / GIB:.0f} GiB free")


def gpu(_: Surroundings) -> Iterator[Finding]:
    """Whether torch can use the GPU that is there."""
    try:
        import torch  # noqa: PLC0415 - takes seconds, and may be missing
    except ImportError as error:
        yield skipped("gpu", f"torch is not installed ({error})")
        return
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield ok("gpu", f"{', '.join(names)}; CUDA {torch.version.cuda}")
    elif DRIVER.exists():
        built = torch.version.cuda
        todo = (
            "install a torch with CUDA"
            if built is None
            else f"update the driver to one for CUDA {built}; in a container, pass the GPUs on (--gpus all)"
        )
        yield warning("gpu", f"there is one, but torch {torch.__version__} cannot use it", todo)
    else:
        yield ok("gpu", "none; encoders run on the CPU")
