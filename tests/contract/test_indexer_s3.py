"""Pictures in an S3 bucket, of a server on this machine. Needs s3fs and moto, which are in no extra."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import fsspec
import pytest

from lookalike.errors import InvalidInput
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import Item, failure
from lookalike_indexer.sources.opening import open_sources

pytest.importorskip("s3fs", reason="s3fs is not installed")
moto_server: Any = pytest.importorskip("moto.server", reason="moto[server,s3] is not installed")

IMAGES = {"a/1.jpg": b"first", "a/2.png": b"second image", "b/3.jpg": b"the third"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket with IMAGES, a text file, a manifest and a zip."""
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3 = fsspec.filesystem("s3")
        s3.mkdir("pictures")
        for name, data in {**IMAGES, "a/notes.txt": b"none of them"}.items():
            s3.pipe_file(f"pictures/shop/{name}", data)
        rows = "path,age\n" + "".join(f"shop/{name},{i}\n" for i, name in enumerate(IMAGES))
        s3.pipe_file("pictures/rows.csv", rows.encode())
        zipped = BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            for name, data in IMAGES.items():
                archive.writestr(name, data)
        s3.pipe_file("pictures/shard.zip", zipped.getvalue())
        yield "s3://pictures"
    server.stop()


def listed(given: str) -> list[Item]:
    (source,) = open_sources([given])
    found = list(source.items())
    assert not [item for item in found if isinstance(item, FileFailure)]
    return [item for item in found if isinstance(item, Item)]


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("shop", ""), ("shop/*/*.*g", ""), ("rows.csv", "shop/"), ("shard.zip", "shard/")],
)
def test_pictures_of_a_bucket_are_given_once_and_read_from_anywhere(
    bucket: str, given: str, prefix: str
) -> None:
    items = listed(f"{bucket}/{given}")
    assert {item.id: item.read() for item in items} == {
        prefix + name: data for name, data in IMAGES.items()
    }
    elsewhere = [pickle.loads(pickle.dumps(item)) for item in items]  # noqa: S301 - made here
    assert [item.read() for item in elsewhere] == [item.read() for item in items]
    assert [(i.id, i.stamp) for i in listed(f"{bucket}/{given}")] == [
        (i.id, i.stamp) for i in items
    ]
    assert all(item.stamp for item in items)


def test_what_a_bucket_has_is_metadata_too(bucket: str) -> None:
    assert [dict(item.metadata) for item in listed(f"{bucket}/rows.csv")] == [
        {"age": 0},
        {"age": 1},
        {"age": 2},
    ]
    labels = [item.metadata["label"] for item in listed(f"{bucket}/shop")]
    assert labels == ["a", "a", "b"]
    assert listed(f"{bucket}/shop")[0].source == f"{bucket}/shop/a/1.jpg"


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    (source,) = open_sources(["s3://no-such-bucket/x"])
    with pytest.raises(InvalidInput, match="nothing at s3://no-such-bucket"):
        list(source.items())


def test_a_picture_that_is_gone_since_it_was_listed_fails_alone(bucket: str) -> None:
    first, *rest = listed(f"{bucket}/shop")
    fsspec.filesystem("s3").rm_file("pictures/shop/a/1.jpg")
    with pytest.raises(FileNotFoundError) as caught:
        first.read()
    assert failure(first.source, caught.value) == FileFailure(
        f"{bucket}/shop/a/1.jpg", "unreadable_file", "No such file or directory"
    )
    assert [item.read() for item in rest] == list(IMAGES.values())[1:]
    fsspec.filesystem("s3").pipe_file("pictures/shop/a/1.jpg", IMAGES["a/1.jpg"])
