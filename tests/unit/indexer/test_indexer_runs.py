"""Whole indexing runs: what is sent, skipped, reported and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike import Lookalike, errors
from lookalike.client import Collection
from lookalike_indexer.pipeline import Loaded, Task, batches
from lookalike_indexer.report import IndexProgress
from lookalike_indexer.sources.item import Item
from tests.fakes.wire import WireService, problem


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty files in four folders."""
    for i in range(40):
        path = tmp_path / "photos" / f"class{i % 4}" / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"image {i}".encode())
    return tmp_path / "photos"


def test_a_folder_is_indexed_into_a_new_collection_with_its_fields(
    collection: Collection, service: WireService, photos: Path
) -> None:
    report = collection.index(photos, indexes={"metadata.age": "integer"})
    assert (report.created, report.failed, report.total) == (40, 0, 40)
    fields = {"metadata.folder": "keyword", "metadata.label": "keyword", "metadata.age": "integer"}
    assert collection.describe().indexes == fields
    stored = service.images["photos"]["class3/07.jpg"]
    assert stored["metadata"] == {"folder": "class3", "label": "class3"}
    assert stored["source"] == str(photos / "class3/07.jpg")


def test_a_second_run_sends_nothing(
    collection: Collection, service: WireService, photos: Path
) -> None:
    collection.index(photos)
    report = collection.index(str(photos))
    assert (report.skipped, report.created, service.uploads()) == (40, 0, 40)


def test_changed_and_new_files_alone_are_sent(
    collection: Collection, service: WireService, photos: Path
) -> None:
    collection.index(photos)
    (photos / "class0/00.jpg").write_bytes(b"another image")
    (photos / "class0/new.jpg").write_bytes(b"new image")
    report = collection.index(photos)
    assert (report.updated, report.created, report.skipped) == (1, 1, 39)
    assert service.uploads() == 42


def test_a_touched_file_with_the_same_bytes_is_not_sent(
    collection: Collection, service: WireService, photos: Path
) -> None:
    collection.index(photos)
    os.utime(photos / "class0/00.jpg", (1, 1))
    assert collection.index(photos).skipped == 40
    assert service.uploads() == 40


def test_recheck_sends_all_again(
    collection: Collection, service: WireService, photos: Path
) -> None:
    collection.index(photos)
    assert collection.index(photos, recheck=True).unchanged == 40
    assert service.uploads() == 80


def test_a_collection_that_was_dropped_is_filled_anew(collection: Collection, photos: Path) -> None:
    collection.index(photos)
    collection.client.delete_collection("photos")
    assert collection.index(photos).created == 40


def test_the_same_folder_goes_into_another_collection_too(
    collection: Collection, photos: Path
) -> None:
    collection.index(photos)
    assert collection.client.collection("others").index(photos).created == 40


def test_a_folder_within_a_folder_has_ids_of_its_own(collection: Collection, photos: Path) -> None:
    collection.index(photos)
    assert collection.index(photos / "class0", duplicates="each").created == 10


def test_broken_files_are_reported_and_stop_nothing(
    collection: Collection, service: WireService, photos: Path
) -> None:
    (photos / "class1/bad.jpg").write_bytes(b"broken")
    (photos / "class2/poison.jpg").write_bytes(b"poison for its whole request")
    (photos / "class3/dangling.jpg").symlink_to("nowhere")
    seen: list[IndexProgress] = []
    report = collection.index(photos, progress=seen.append)
    assert (report.created, report.failed, len(service.images["photos"])) == (40, 3, 40)
    codes = {Path(failure.path).name: failure.code for failure in report.failures}
    assert codes == {
        "bad.jpg": "truncated_image",
        "poison.jpg": "internal_error",
        "dangling.jpg": "unreadable_file",
    }
    assert [failure for step in seen for failure in step.new_failures] == report.failures
    assert (seen[0].total, seen[-1].done, seen[-1].failed) == (43, 43, 3)
    assert [step.done for step in seen] == sorted(step.done for step in seen)


def test_failed_files_are_tried_again_by_the_next_run(collection: Collection, photos: Path) -> None:
    bad = photos / "class1/bad.jpg"
    bad.write_bytes(b"broken")
    assert collection.index(photos).failed == 1
    assert collection.index(photos).failed == 1
    bad.write_bytes(b"mended")
    assert collection.index(photos).created == 1


def test_a_batch_that_is_too_large_for_the_service_is_halved(
    collection: Collection, service: WireService, photos: Path
) -> None:
    service.max_images = 3
    assert collection.index(photos).created == 40


def test_a_file_beyond_all_limits_is_not_even_read(collection: Collection, photos: Path) -> None:
    huge = photos / "class0/huge.jpg"
    with huge.open("wb") as file:
        file.truncate(2**40)
    report = collection.index(photos)
    assert [failure.code for failure in report.failures] == ["image_too_large"]


def test_a_service_that_goes_away_stops_the_run_and_the_next_goes_on(
    service: WireService, photos: Path
) -> None:
    posts = 0

    def flaky(request: httpx.Request) -> httpx.Response:
        nonlocal posts
        posts += request.url.path.endswith("/images")
        if posts > 1:
            raise httpx.ConnectError("gone", request=request)
        return service.handle(request)

    going = Lookalike(transport=httpx.MockTransport(flaky), retries=0)
    with going as client, pytest.raises(errors.ConnectionFailed):
        client.collection("photos").index(photos)
    with Lookalike(transport=service.transport()) as client:
        report = client.collection("photos").index(photos)
    assert report.total == 40
    assert len(service.images["photos"]) == 40


def test_a_collection_of_another_model_is_refused(collection: Collection, photos: Path) -> None:
    with pytest.raises(errors.UnknownModel):
        collection.index(photos, model="other")
    collection.index(photos, model="fake")
    with pytest.raises(errors.UnknownModel):
        collection.index(photos, model="other")


def test_fields_that_an_older_collection_lacks_are_named(
    collection: Collection, photos: Path
) -> None:
    collection.client.create_collection("photos", indexes={"metadata.label": "keyword"})
    assert collection.index(photos).unindexed_fields == ["metadata.folder"]


def test_nothing_to_index_is_an_error(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.InvalidInput, match="No images"):
        collection.index(tmp_path / "empty")


def test_a_damaged_journal_is_named_with_what_to_do(
    collection: Collection, photos: Path, state: Path
) -> None:
    collection.index(photos)
    (journal,) = (state / "lookalike").glob("*.sqlite")
    journal.write_bytes(b"this is no database, and long enough to look at" * 50)
    with pytest.raises(errors.InvalidInput, match="Delete the file"):
        collection.index(photos)


def test_overload_beyond_patience_is_raised_not_counted_as_broken_files(
    collection: Collection, service: WireService, photos: Path
) -> None:
    collection.client.create_collection("photos")
    real = service.handle

    def busy(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/images"):
            return problem(429, "overloaded")
        return real(request)

    overloaded = Lookalike(transport=httpx.MockTransport(busy), retries=0)
    with overloaded as client, pytest.raises(errors.Overloaded):
        client.collection("photos").index(photos)


@given(
    sizes=st.lists(st.integers(0, 30)),
    max_images=st.integers(1, 5),
    max_bytes=st.integers(1, 40),
)
def test_batches_keep_order_lose_nothing_and_stay_within_bounds(
    sizes: list[int], max_images: int, max_bytes: int
) -> None:
    loaded = [Loaded(Task(Item(str(i), "", bytes), ""), bytes(n), "") for i, n in enumerate(sizes)]
    made = list(batches(loaded, max_images, max_bytes))
    assert [one for batch in made for one in batch] == loaded
    for batch in made:
        assert 1 <= len(batch) <= max_images
        assert len(batch) == 1 or sum(len(one.data) for one in batch) <= max_bytes


def test_two_files_with_one_id_are_told_and_the_first_is_kept(
    collection: Collection, service: WireService, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "class0" / "00.jpg"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"something else")
    report = collection.index([photos, other.parents[1], photos])
    assert (report.created, report.failed) == (40, 1)
    assert report.failures[0].code == "duplicate_id"
    assert str(photos / "class0/00.jpg") in report.failures[0].detail
    assert service.images["photos"]["class0/00.jpg"]["source"] == str(photos / "class0/00.jpg")


def test_failures_are_listed_in_a_file_as_they_come(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    (photos / "class1/bad.jpg").write_bytes(b"broken")
    report = collection.index(photos)
    (line,) = Path(report.errors_path).read_text().splitlines()
    assert json.loads(line)["path"] == str(photos / "class1/bad.jpg")
    (photos / "class1/bad.jpg").unlink()
    assert Path(collection.index(photos).errors_path).read_text() == ""


def test_progress_says_how_fast_and_what_the_others_wait_for(
    collection: Collection, photos: Path
) -> None:
    seen: list[IndexProgress] = []
    report = collection.index(photos, progress=seen.append)
    last = seen[-1]
    assert (last.done, last.total, last.indexed) == (40, 40, 40)
    assert last.rate == pytest.approx(40 / last.seconds)
    assert last.seconds_left == 0
    assert set(last.busy) == {"read", "service"}
    assert last.bottleneck in last.busy
    assert last.batch_size == 20  # 32 and 8
    assert (report.batch_size, report.busy) == (last.batch_size, last.busy)


def test_a_run_killed_in_the_middle_goes_on_from_its_journal(
    service: WireService, photos: Path
) -> None:
    for i in range(40, 400):
        (photos / f"{i}.jpg").write_bytes(f"image {i}".encode())
    slow: Any = service.handle

    def handle(request: httpx.Request) -> httpx.Response:
        time.sleep(0.02)
        answer: httpx.Response = slow(request)
        return answer

    service.handle = handle  # type: ignore[method-assign]  # slow enough to be killed on the way
    with service.listen() as url:
        command = [sys.executable, "-m", "lookalike_indexer", "index", str(photos), "-c", "photos"]
        run = subprocess.Popen([*command, "--json", "--url", url], stdout=subprocess.PIPE)
        while len(service.images.get("photos", ())) < 150:
            assert run.poll() is None, "it ended before it could be killed"
            time.sleep(0.001)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        sent = service.uploads()
        assert sent < 400
        with Lookalike(url) as client:
            report = client.collection("photos").index(photos)
    assert len(service.images["photos"]) == 400
    assert report.total == 400
    assert report.failed == 0
    assert report.skipped > 0, "what was acknowledged is not sent again"
    assert json.dumps(sorted(service.images["photos"])) == json.dumps(
        sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    )
