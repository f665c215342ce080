"""Weight files: where they are, what identifies them, and how they become a model's state."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lookalike_service.encoders.catalog import PackagedWeights
from lookalike_service.errors import InvalidModel, WeightsMissing

_WRAPPERS = ("state_dict", "model_state_dict", "model", "model_ema", "state_dict_ema", "net")
"""Where training scripts keep the state dict in a checkpoint that holds more than it."""

_PREFIXES = ("module.", "model.", "backbone.", "encoder.", "net.", "network.", "_orig_mod.")
"""What training wrappers (DataParallel, Lightning, torch.compile) put before every name."""

_SHOWN = 3


def packaged_file(weights: PackagedWeights) -> Path:
    """The weight file inside its installed package. Raises WeightsMissing."""
    found = importlib.util.find_spec(weights.package)
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders:
        raise WeightsMissing(f"The weights are in the package '{weights.package}': install it.")
    file = Path(folders[0]) / weights.path
    if not file.is_file():
        raise WeightsMissing(
            f"The package '{weights.package}' has no '{weights.path}': install it again."
        )
    return file


def checkpoint_file(path: str) -> Path:
    """The file of a checkpoint's path. Raises WeightsMissing."""
    file = Path(path).expanduser()
    if file.is_dir():
        inside = sorted(
            p.name for p in file.iterdir() if p.suffix in {".pth", ".pt", ".safetensors"}
        )
        hint = f"it holds {', '.join(inside[:_SHOWN])}" if inside else "it holds none"
        raise WeightsMissing(f"'{path}' is a folder; name the checkpoint in it ({hint}).")
    if not file.is_file():
        raise WeightsMissing(f"There is no checkpoint '{path}' on this machine.")
    return file


def sha256(file: Path) -> str:
    """The file's SHA-256, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_id(file: Path, arguments: Mapping[str, Any] | None = None) -> str:
    """What identifies weights: the file's SHA-256, and the arguments its network is built with, if any."""
    digest = sha256(file)
    if not arguments:
        return digest
    canonical = json.dumps(dict(arguments), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{digest}{canonical}".encode()).hexdigest()


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors of a state dict on disk, without running any code in it.

    A `.safetensors` file, or one of `torch.save`, which may hold the state dict among other things, as
    training scripts leave it. Raises InvalidModel.
    """
    state = _load(file)
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
            break
    if not isinstance(state, dict):
        raise InvalidModel(f"'{file.name}' holds a {type(state).__name__}, not a state dict.")
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        found = ", ".join(map(str, list(state)[:_SHOWN])) or "nothing"
        raise InvalidModel(
            f"'{file.name}' holds no tensors where a state dict has them, but {found}."
        )
    return tensors


def _load(file: Path) -> Any:
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except SafetensorError as error:
            raise InvalidModel(f"'{file.name}' is no safetensors file: {error}.") from error
    if _is_torchscript(file):
        raise InvalidModel(
            f"'{file.name}' is a TorchScript archive, which carries code. Save its tensors alone: "
            "torch.save(torch.jit.load(file).state_dict(), other)."
        )
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidModel(
            f"'{file.name}' is not a file of tensors alone: reading the rest would run code it carries, "
            "so it is refused. Where it came from, save torch.save(model.state_dict(), file), or a "
            ".safetensors file."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InvalidModel(f"'{file.name}' is not a file of tensors alone: {error}") from error


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def own_names(state: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The state under the names of the model, which are `wanted`: without what wrappers put before them.

    Names that are not the model's even so are kept as they are. Raises InvalidModel where two become one.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        own = _own_name(name, wanted)
        if own in renamed:
            raise InvalidModel(
                f"The checkpoint holds '{own}' twice, once as '{name}': save one network."
            )
        renamed[own] = tensor
    return renamed


def _own_name(name: str, wanted: Collection[str]) -> str:
    own = name
    while own not in wanted:
        prefix = next((prefix for prefix in _PREFIXES if own.startswith(prefix)), None)
        if prefix is None:
            return name
        own = own.removeprefix(prefix)
    return own


def load_state(model: torch.nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state whose names and shapes are exactly the model's.

    `source` names it in errors. Counters of training batches may be absent: they play no part after
    training. Raises InvalidModel, saying which tensors are missing, unexpected or of another shape.
    """
    target = model.state_dict()
    missing = [
        name for name in target if name not in state and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in state if name not in target]
    reshaped = [
        f"{name} {tuple(state[name].shape)} for {tuple(target[name].shape)}"
        for name in target
        if name in state and state[name].shape != target[name].shape
    ]
    problems = [
        f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''})"
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", reshaped),
        )
        if names
    ]
    if problems:
        raise InvalidModel(
            f"'{source}' does not fit {type(model).__name__}, which has {len(target)} tensors: "
            f"{'; '.join(problems)}."
        )
    model.load_state_dict(dict(state), strict=False)


def load_in_order(model: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Load tensors whose names differ from the model's, but whose order, roles and shapes are its own.

    A role is the last part of a name, such as `running_mean`. Raises InvalidModel where any disagrees.
    """
    target = model.state_dict()
    if len(state) != len(target):
        raise InvalidModel(f"The weights have {len(state)} tensors; the model has {len(target)}.")
    for theirs, ours in zip(state, target, strict=True):
        roles = theirs.rpartition(".")[2], ours.rpartition(".")[2]
        shapes = tuple(state[theirs].shape), tuple(target[ours].shape)
        if roles[0] != roles[1] or shapes[0] != shapes[1]:
            raise InvalidModel(
                f"Weight '{theirs}' {shapes[0]} does not fit the model's '{ours}' {shapes[1]}."
            )
    model.load_state_dict(dict(zip(target, state.values(), strict=True)))
