"""`lookalike train` as a user runs it, against the real routes on a loopback port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lookalike import Lookalike, errors
from lookalike_indexer import app
from lookalike_indexer.app import run
from tests.fakes.service import fake_server
from tests.pictures import jpeg

Output = pytest.CaptureFixture[str]
FEW = ("--epochs", "1", "--dim", "4")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    with fake_server(job_threads=1, models_dir=models) as url:
        yield url


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures in two folders, which are their labels, and a file that is none."""
    root = tmp_path_factory.mktemp("data") / "scans"
    for i in range(20):
        path = root / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed=i))
    (root / "a" / "broken.jpg").write_bytes(jpeg()[:100])
    return root


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """The command by its module, whether or not the installation lists it yet."""
    entry = EntryPoint("train", "lookalike_indexer.commands.train:train", app.GROUP)
    monkeypatch.setattr(app, "entry_points", lambda **_: [entry])
    monkeypatch.setenv("LOOKALIKE_URL", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def lookalike(*arguments: str) -> int:
    """The exit status of a command."""
    try:
        return run(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_folder_is_indexed_and_trained_on_then_its_collection_has_a_head(
    scans: Path, tmp_path: Path, url: str, capsys: Output
) -> None:
    sheet = tmp_path / "sheet.png"
    assert (
        lookalike("train", "autoencoder", str(scans), "--size", "16", "--sheet", str(sheet), *FEW)
        == 0
    )
    shown = capsys.readouterr()
    assert "scans: 21 pictures, 1 of them could not be indexed" in shown.err
    # The service's log may be on the same stream here.
    assert any(line.startswith("autoencoder:/") for line in shown.out.splitlines())
    assert sheet.read_bytes().startswith(b"\x89PNG")

    assert lookalike("train", "head", "scans", "--json", *FEW) == 0
    head = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (head["kind"], head["points"], head["parameters"]["field"]) == (
        "head", 20, "metadata.label",
    )  # fmt: skip
    with Lookalike(url) as client:
        collection = client.collection("scans")
        assert [training.name for training in collection.trainings()] == ["autoencoder", "head"]
        with pytest.raises(errors.TrainingExists):
            collection.train_autoencoder()
        collection.delete_training("head")
        with pytest.raises(errors.UnknownTraining):
            collection.training("head")


def test_what_is_neither_collection_nor_folder_says_which(capsys: Output) -> None:
    assert lookalike("train", "autoencoder", "nowhere/at/all") == 2
    assert "is no folder" in " ".join(capsys.readouterr().err.split())
    assert lookalike("train", "autoencoder", "nothing") == 1
    assert "nothing" in capsys.readouterr().err


def test_help_names_both_sub_commands(capsys: Output) -> None:
    assert lookalike("train", "--help") == 0
    shown = capsys.readouterr().out
    assert "autoencoder" in shown
    assert "head" in shown
