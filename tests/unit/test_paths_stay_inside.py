"""No name that a caller chooses leads to a file outside the folder that it is meant for."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lookalike_service.errors import InvalidField
from lookalike_service.images import Limits
from lookalike_service.schemas.base import Name
from lookalike_service.settings import Settings
from lookalike_service.store.archive import ArchiveSource, ArchiveTarget
from lookalike_service.store.contents import StoreSource, StoreTarget, copy
from lookalike_service.store.protocol import Record
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows.export_archive import _Namer
from lookalike_service.workflows.originals import read_original
from tests.contract.stores import collection, embedded
from tests.fakes.service import fake_service

NAME = TypeAdapter(Name)
TRAVERSALS = [
    "..", ".", "../x", "../../etc/passwd", "/etc/passwd", "a/../../x", "a/b", "a\\b", "..\\x", "C:x", "C:\\x",
    "~", "~root", ".hidden", "x\0y", "x\ny", "x\n", "", " ", "a" * 64, "-x", "%2e%2e", "..%2fx", "@1", "a@1",
]  # fmt: skip
awkward = st.text(alphabet="./\\~:@%\0\n aZ0-_é", max_size=12) | st.text(max_size=8)


def accepted(name: str) -> bool:
    try:
        NAME.validate_python(name)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_name_that_could_be_a_path_is_no_name(name: str) -> None:
    assert not accepted(name)


@given(awkward)
@example("a..b")
@example("x.")
def test_a_name_is_one_part_of_a_path_on_every_system(name: str) -> None:
    if accepted(name):
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind("/root", name)
            assert path.parent == kind("/root")
            assert ".." not in path.parts
            assert path.name == name


@given(awkward, awkward)
def test_a_trained_model_is_two_folders_deep_in_its_own(collection: str, name: str) -> None:
    if accepted(collection) and accepted(name):
        folder = ModelsFolder(Path("/models"))
        for path in (folder._done(collection, name), folder._unfinished(collection, name)):
            assert path.resolve().parent.parent == Path("/models").resolve()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of originals with a picture, a link out of it, and a secret beside it."""
    root = tmp_path_factory.mktemp("tree")
    (root / "originals" / "sub").mkdir(parents=True)
    (root / "originals-too").mkdir()
    (root / "originals" / "sub" / "a.jpg").write_bytes(b"picture")
    for place in ("secret", "originals-too/secret"):
        (root / place).write_bytes(b"secret")
    (root / "originals" / "link").symlink_to(root / "secret")
    (root / "originals" / "out").symlink_to(root)
    return root


def original(tree: Path, source: Any, wanted: bytes) -> bytes | None:
    """What is read of an image with this source, whose bytes were these when it was indexed."""
    record = Record("id", {"source": source, "sha256": hashlib.sha256(wanted).hexdigest()})
    return read_original(record, Settings(originals=tree / "originals"), Limits(1000, 1000))


@pytest.mark.parametrize("source", [
    "../secret", "sub/../../secret", "link", "out/secret", "../originals-too/secret", "/etc/passwd",
    "{tree}/secret", "out/originals/../secret", "..\0/secret", "sub", "", ".", "..", "x" * 5000,
])  # fmt: skip
def test_no_source_reads_what_is_outside_the_originals(tree: Path, source: str) -> None:
    assert original(tree, source.format(tree=tree), b"secret") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["..", ".", "sub", "link", "out", "secret", "", "~"]), max_size=6))
def test_no_chain_of_steps_reads_it_either(tree: Path, steps: list[str]) -> None:
    assert original(tree, "/".join(steps), b"secret") is None
    assert original(tree, str(tree / "/".join(steps)), b"secret") is None


def test_a_source_inside_is_read_if_it_is_what_was_indexed(tree: Path) -> None:
    assert original(tree, "sub/a.jpg", b"picture") == b"picture"
    assert original(tree, "sub/a.jpg", b"another") is None


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(awkward, awkward, st.integers(-1, 3), st.sampled_from(["JPEG", "PNG", "?"])),
        min_size=1,
        max_size=8,
    )
)
@example([("../../x", "..", 0, "JPEG"), ("/etc/passwd", "/", 0, "?"), ("C:\\x", "C:", 1, "PNG")])
@example([("images.jsonl", "", 0, "?"), ("..", "..", -1, "?"), (". .", ". .", 1, "?")])
def test_an_exported_archive_unpacks_into_its_folder_alone(
    rows: list[tuple[str, str, int, str]],
) -> None:
    namer = _Namer()
    names = [
        namer.name({"id": id or "x", "sha256": "f" * 64, "label": label, "cluster": cluster}, kind)
        for id, cluster, label, kind in rows
    ]
    assert len({name.lower() for name in names}) == len(names), "none is written over another"
    for name in names:
        for path in (PurePosixPath(name), PureWindowsPath(name)):
            assert not path.is_absolute()
            assert not path.drive
            assert len(path.parts) == 2
            assert ".." not in path.parts
        assert "\0" not in name
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        for name in names:
            archive.writestr(name, b"")
        assert archive.namelist() == names, "the archive keeps them as they are"


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "..", "a/b", ".hidden"])  # noqa: S108 - refused
def test_a_backup_cannot_name_a_collection_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    target = ArchiveTarget(tmp_path / "backup")
    with target.receiving(collection("good")):
        pass
    described = tmp_path / "backup" / "good" / "collection.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"name": name}))
    before = {path for path in tmp_path.rglob("*") if "store" not in path.parts}
    with embedded(tmp_path / "store") as store:
        with pytest.raises(InvalidField):
            copy(ArchiveSource(tmp_path / "backup"), StoreTarget(store))
        with pytest.raises(InvalidField):
            store.create_collection(replace(collection("x"), name=name))
        assert not StoreSource(store).names()
    assert {path for path in tmp_path.rglob("*") if "store" not in path.parts} == before


def encoded(name: str) -> str:
    """Dots too, which HTTP clients would resolve before they ask."""
    return quote(name, safe="").replace(".", "%2E")


def test_no_path_of_a_request_leads_out_of_the_service(tmp_path: Path) -> None:
    """Whatever stands for a collection, an image, a run or a file of the page in it."""
    (tmp_path / "secret").write_text("secret")
    before = sorted(tmp_path.rglob("*"))
    with fake_service(data=tmp_path / "data", originals=tmp_path / "originals") as service:
        service.client.put("/v1/collections/c", json={})
        for name in [*TRAVERSALS[:-2], "secret", "../secret", str(tmp_path / "secret")]:
            for part in {encoded(name), encoded(encoded(name))} - {""}:
                for method, path in [
                    ("PUT", f"/v1/collections/{part}"),
                    ("DELETE", f"/v1/collections/{part}"),
                    ("GET", f"/v1/collections/c/trainings/{part}"),
                    ("DELETE", f"/v1/collections/c/trainings/{part}"),
                    ("GET", f"/v1/collections/{part}/trainings/x"),
                    ("GET", f"/v1/collections/c/images/{part}/thumbnail"),
                    ("GET", f"/v1/collections/c/clusterings/{part}"),
                    ("GET", f"/v1/collections/c/clusterings/{part}/export?format=zip"),
                    ("GET", f"/v1/jobs/{part}"),
                    ("GET", f"/assets/{part}"),
                ]:
                    answer = service.client.request(method, path)
                    if path != f"/v1/collections/{part}" or not accepted(part):
                        assert 400 <= answer.status_code < 500, (method, path, answer.text)
                    assert "secret" not in answer.text or "secret" in name
    assert sorted(tmp_path.rglob("*")) == before
