"""Uploads: they go on where they broke off, and only what is whole and right becomes an artifact."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from artifacts.errors import Gap, StorageFull, TooManyBytes, WrongDigest
from artifacts.uploads import Uploads

DATA = os.urandom(100_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
Take = Callable[[Path], None]


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", largest=200_000)


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """Give the file that what is taken becomes."""
    return tmp_path / "taken"


@pytest.fixture
def take(taken: Path) -> Take:
    def take(path: Path) -> None:
        path.replace(taken)

    return take


def pieces(begin: int = 0, end: int = len(DATA)) -> Iterator[bytes]:
    return (DATA[at : min(end, at + 1000)] for at in range(begin, end, 1000))


def broken_off(begin: int, end: int) -> Iterator[bytes]:
    yield from pieces(begin, end)
    raise ConnectionError


def test_an_upload_goes_on_where_it_broke_off(uploads: Uploads, take: Take, taken: Path) -> None:
    for begin, end in ((0, 30_500), (30_500, 70_000)):
        with pytest.raises(ConnectionError):
            uploads.receive(DIGEST, "1", begin, broken_off(begin, end), take)
        assert (uploads.size(DIGEST, "1"), uploads.size(DIGEST, "2")) == (end, 0)
    uploads.receive(DIGEST, "1", 70_000, pieces(70_000), take)
    assert taken.read_bytes() == DATA
    assert uploads.size(DIGEST, "1") == 0


def test_who_goes_on_at_another_place_is_told_where(uploads: Uploads, take: Take, taken: Path) -> None:
    with pytest.raises(Gap):
        uploads.receive(DIGEST, "1", 5000, pieces(5000), take)
    with pytest.raises(ConnectionError):
        uploads.receive(DIGEST, "1", 0, broken_off(0, 4000), take)
    with pytest.raises(Gap) as gap:
        uploads.receive(DIGEST, "1", 5000, pieces(5000), take)
    assert gap.value.size == 4000
    uploads.receive(DIGEST, "1", 2000, pieces(2000), take)
    assert taken.read_bytes() == DATA


def test_what_stood_there_wrongly_is_found_out_and_begun_anew(
    uploads: Uploads, take: Take, taken: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionError):
        uploads.receive(DIGEST, "1", 0, broken_off(0, 4000), take)
    (tmp_path / "uploads" / f"{DIGEST}.1").write_bytes(b"torn" * 1000)
    with pytest.raises(Gap) as gap:
        uploads.receive(DIGEST, "1", 4000, pieces(4000), take)
    assert (gap.value.size, uploads.size(DIGEST, "1"), taken.exists()) == (0, 0, False)
    uploads.receive(DIGEST, "1", 0, pieces(), take)
    assert taken.read_bytes() == DATA


def test_two_requests_of_one_sender_make_one_artifact(uploads: Uploads, take: Take, taken: Path) -> None:
    def first() -> Iterator[bytes]:
        yield from pieces(0, 50_000)
        uploads.receive(DIGEST, "1", 50_000, pieces(50_000), take)
        yield from pieces(50_000)
        yield b"and more, which must not get into the artifact"

    with pytest.raises(Gap):
        uploads.receive(DIGEST, "1", 0, first(), take)
    assert taken.read_bytes() == DATA


def test_who_begins_anew_leaves_the_older_request_without_an_upload(uploads: Uploads, take: Take, taken: Path) -> None:
    def first() -> Iterator[bytes]:
        yield b"x" * 5000
        with pytest.raises(ConnectionError):
            uploads.receive(DIGEST, "1", 0, broken_off(0, 5000), take)
        yield b"x"

    with pytest.raises(Gap):
        uploads.receive(DIGEST, "1", 0, first(), take)
    uploads.receive(DIGEST, "1", 5000, pieces(5000), take)
    assert taken.read_bytes() == DATA


def test_what_is_handed_over_is_what_was_verified_whoever_begins_anew_meanwhile(
    uploads: Uploads, take: Take, taken: Path
) -> None:
    gaps = []

    def begun_anew(path: Path) -> None:
        with pytest.raises((Gap, ConnectionError)) as other:
            uploads.receive(DIGEST, "1", 0, broken_off(0, 500), take)
        gaps.append(other.value)
        take(path)

    uploads.receive(DIGEST, "1", 0, pieces(), begun_anew)
    assert taken.read_bytes() == DATA
    assert [type(each) for each in gaps] == [Gap]


def test_requests_that_begin_at_once_make_one_artifact_or_are_told_of_each_other(
    uploads: Uploads, taken: Path, tmp_path: Path
) -> None:
    def take(path: Path) -> None:
        path.rename(taken)

    def upload(_: int) -> None:
        with suppress(Gap):
            uploads.receive(DIGEST, "1", 0, iter([DATA[:50_000], DATA[50_000:]]), take)
        assert not taken.exists() or taken.read_bytes() == DATA

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(400)))
    assert taken.read_bytes() == DATA


def test_nothing_is_left_of_what_is_wrong_or_too_long(uploads: Uploads, take: Take, taken: Path) -> None:
    with pytest.raises(WrongDigest):
        uploads.receive(DIGEST, "1", 0, pieces(0, 99_000), take)
    with pytest.raises(TooManyBytes):
        uploads.receive(DIGEST, "1", 0, (b"x" * 1000 for _ in range(201)), take)
    assert (uploads.size(DIGEST, "1"), taken.exists()) == (0, False)


def test_a_storage_that_is_full_keeps_nothing_of_it(uploads: Uploads) -> None:
    def full(_: Path) -> None:
        raise StorageFull

    with pytest.raises(StorageFull):
        uploads.receive(DIGEST, "1", 0, pieces(), full)
    assert uploads.size(DIGEST, "1") == 0


def test_a_storage_that_is_away_finds_the_whole_file_again(uploads: Uploads, take: Take, taken: Path) -> None:
    def away(_: Path) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        uploads.receive(DIGEST, "1", 0, pieces(), away)
    assert uploads.size(DIGEST, "1") == len(DATA)
    uploads.receive(DIGEST, "1", len(DATA), [], take)
    assert taken.read_bytes() == DATA


def test_leftovers_are_bounded_and_go_with_time(tmp_path: Path, take: Take) -> None:
    uploads = Uploads(tmp_path / "uploads", largest=200_000, bound=10_000)
    for sender in ("1", "2", "3"):
        with pytest.raises(ConnectionError):
            uploads.receive(DIGEST, sender, 0, broken_off(0, 6000), take)
    assert [uploads.size(DIGEST, sender) for sender in ("1", "2", "3")] == [6000] * 3, "they may go on any moment"
    then = time.time() - 3600
    for sender in ("1", "2"):
        os.utime(tmp_path / "uploads" / f"{DIGEST}.{sender}", (then, then))
    uploads.receive(DIGEST, "4", 0, pieces(), take)
    assert [uploads.size(DIGEST, sender) for sender in ("1", "2", "3")] == [0, 0, 6000]
    uploads.discard(datetime.now(UTC) + timedelta(seconds=1))
    assert uploads.size(DIGEST, "3") == 0


def test_errors_of_the_disk_are_errors_of_the_storage(uploads: Uploads, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageFull):
        uploads.receive(DIGEST, "1", 0, pieces(), take)
    assert uploads.size(DIGEST, "1") == 0
