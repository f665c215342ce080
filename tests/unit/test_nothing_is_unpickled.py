"""Nothing that a caller, a file or the network gives is unpickled or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lookalike_service

PACKAGE = Path(lookalike_service.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
BETWEEN_OWN_PROCESSES = {
    "store/process.py": "calls the engine's process over a socket that only these two have",
    "store/engine_process.py": "answers them",
    "encoders/weights.py": "names the error of torch's reader of tensors, which is not pickle's",
}
RUNNING = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "_pickle"}
READERS = {"load", "read_array", "fromfile"}


def imported(tree: ast.Module) -> set[str]:
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a name or of a dotted name, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_neither_unpickles_nor_runs_what_it_is_given(file: Path) -> None:
    tree, name = ast.parse(file.read_text()), str(file.relative_to(PACKAGE))
    if name not in BETWEEN_OWN_PROCESSES:
        assert not imported(tree) & RUNNING
    for function, call in calls(tree):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert function not in {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
        assert given.get("allow_pickle") in {None, "False"}, function
        assert given.get("shell") in {None, "False"}, function
        assert not function.startswith(("yaml.", "pandas.read_pickle", "subprocess.getoutput"))
        if function == "torch.load":
            assert given.get("weights_only") == "True", "torch.load runs what a file says otherwise"


def test_the_modules_that_may_are_still_there() -> None:
    for name in BETWEEN_OWN_PROCESSES:
        assert imported(ast.parse((PACKAGE / name).read_text())) & RUNNING, name


def test_an_array_of_objects_is_never_read(tmp_path: Path) -> None:
    """numpy's own default, which every `np.load` here stands on."""
    import numpy as np

    file = tmp_path / "a.npy"
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(file)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        np.load(file, mmap_mode="r")
