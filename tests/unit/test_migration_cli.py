"""`lookalike migrate` and the SDK's calls, against the real routes on a loopback port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lookalike import AsyncLookalike, Lookalike, errors
from lookalike_indexer import app
from lookalike_indexer.app import run
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import fake_server
from tests.pictures import jpeg

Output = pytest.CaptureFixture[str]
OLD, NEW = "timm:fake_patches", "timm:fake_wide"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with fake_server(more=[FakeEncoder(NEW, channels=24, seed=8)], job_threads=1) as url:
        yield url


@pytest.fixture
def name(url: str, request: pytest.FixtureRequest) -> str:
    """A collection of eight pictures."""
    name = str(request.node.name)[:60]
    with Lookalike(url) as client:
        client.create_collection(name).add([jpeg(seed=i) for i in range(8)], ids=[*"abcdefgh"])
    return name


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """The command by its module, whether or not the installation lists it yet."""
    entry = EntryPoint("migrate", "lookalike_indexer.commands.migrate:migrate", app.GROUP)
    monkeypatch.setattr(app, "entry_points", lambda **_: [entry])
    monkeypatch.setenv("LOOKALIKE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")


def lookalike(*arguments: str) -> int:
    """The exit status of a command."""
    try:
        return run(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_the_steps_of_a_migration(name: str, url: str, capsys: Output) -> None:
    assert lookalike("migrate", name, "--model", NEW) == 0
    shown = capsys.readouterr()
    assert f"{name}: compared, and ready to be cut over" in shown.out
    assert "8 images, 8 of them from thumbnails, 0 not migrated" in shown.out
    assert "overlap@10" in shown.out
    assert "warning: 8 of 8 images were embedded from thumbnails" in shown.err
    for step, says, model in (
        ("--cut-over", "cut over; the former vectors are kept", NEW),
        ("--roll-back", "ready to be cut over", OLD),
        ("--cut-over", "cut over", NEW),
        ("--finish", "finished; the former vectors are dropped", NEW),
    ):
        assert lookalike("migrate", name, step) == 0
        assert says in capsys.readouterr().out
        with Lookalike(url) as client:
            assert client.collection(name).describe().model == model
    assert lookalike("migrate", name, "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["state"], found["former"], found["report"]["points"]) == ("finished", None, 8)
    assert lookalike("migrate", name, "--roll-back") == 1
    assert "finished" in capsys.readouterr().err


def test_one_command_goes_all_the_way(name: str, url: str, capsys: Output) -> None:
    assert lookalike("migrate", name, "--model", NEW, "--cut-over") == 0
    assert "cut over" in capsys.readouterr().out
    with Lookalike(url) as client:
        assert client.collection(name).describe().model == NEW
        assert client.collection(name).search(id="a", limit=1)


def test_a_migration_is_given_up(name: str, url: str, capsys: Output) -> None:
    assert lookalike("migrate", name) == 1
    assert "is not being migrated" in capsys.readouterr().err
    assert lookalike("migrate", name, "--model", NEW) == 0
    assert lookalike("migrate", name, "--abandon") == 0
    with Lookalike(url) as client, pytest.raises(errors.UnknownMigration):
        client.collection(name).migration()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--cut-over", "--finish"), "at a time"),
        (("--model", NEW, "--roll-back"), "--cut-over"),
        (("--allow-missing",), "goes with --cut-over"),
    ],
)
def test_steps_that_do_not_go_together_are_refused(
    options: tuple[str, ...], says: str, capsys: Output
) -> None:
    assert lookalike("migrate", "any", *options) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_the_async_client_migrates_too(name: str, url: str) -> None:
    async def there_and_back() -> None:
        async with AsyncLookalike(url) as client:
            collection = client.collection(name)
            await (await collection.migrate(NEW, sample=4)).wait(timeout=60)
            assert (await collection.cut_over()).state == "cut_over"
            assert (await collection.roll_back()).target.points == 8
            with pytest.raises(errors.MigrationNotReady):
                await collection.finish_migration()
            await collection.delete_migration()

    asyncio.run(there_and_back())
