"""Collection: what nobody refers to goes after a day, and nothing else, whatever happens at the same time."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from artifacts import collection, references, storing
from artifacts.collection import collect
from artifacts.folder import Folder
from artifacts.kinds import Kind
from artifacts.models import Artifact, Reference
from artifacts.storage import Storage
from database import rows

T = TypeVar("T")
Go = Callable[[Callable[[], T]], "Future[T]"]
DATA = b"bytes"
DIGEST = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
LIMIT = 30.0
pytestmark = pytest.mark.django_db(transaction=True)


class Watched(Folder):
    """A folder that does something before it deletes an artifact."""

    before: Callable[[str], None] = staticmethod(lambda digest: None)

    def delete(self, digest: str) -> bool:
        self.before(digest)
        return super().delete(digest)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Give the storage, with an artifact that nobody has touched for two days."""
    made = Watched(tmp_path)
    for module in (storing, collection):
        monkeypatch.setattr(module, "storage", lambda: made)
    storing.store(DIGEST, [DATA])
    age()
    return made


@pytest.fixture
def go() -> Iterator[Go[object]]:
    """Give what runs something at the same time, on a connection of its own."""
    with ThreadPoolExecutor(2) as threads:
        yield lambda work: threads.submit(_closing, work)


def _closing(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()


def age() -> None:
    Artifact.objects.update(touched_at=timezone.now() - timedelta(days=2))


def until_somebody_waits() -> None:
    """Return when a statement waits for a lock."""
    wait = Event()
    for _ in range(int(LIMIT / 0.01)):
        if rows.fetch("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"):
            return
        wait.wait(0.01)
    raise AssertionError("nobody waits")


def test_what_nobody_refers_to_goes_after_a_day(folder: Watched) -> None:
    storing.store(OTHER, [b"other"])
    assert collect(timezone.now()) == 1
    assert [folder.has(digest) for digest in (DIGEST, OTHER)] == [False, True]
    assert list(Artifact.objects.values_list("digest", flat=True)) == [OTHER]


def test_what_somebody_refers_to_stays_however_old(folder: Watched) -> None:
    references.refer(Kind.JOB, [("one", DIGEST), ("two", DIGEST)])
    references.release(Kind.JOB, ["one"])
    age()
    assert collect(timezone.now()) == 0
    assert folder.has(DIGEST)
    references.release(Kind.JOB, ["two"])
    assert collect(timezone.now()) == 1


def test_a_day_begins_with_the_last_reference(folder: Watched) -> None:
    references.refer(Kind.JOB, [("one", DIGEST)])
    references.release(Kind.JOB, ["one"])
    assert [collect(timezone.now() + timedelta(hours=hours)) for hours in (23, 25)] == [0, 1]


def test_what_is_stored_again_stays_for_another_day(folder: Watched) -> None:
    assert not storing.store(DIGEST, iter([DATA]))
    assert collect(timezone.now()) == 0
    assert folder.read(DIGEST) == DATA


def test_a_file_without_a_row_goes_a_day_after_it_was_written(folder: Watched) -> None:
    Artifact.objects.all().delete()
    assert [collect(timezone.now() + timedelta(hours=hours)) for hours in (23, 25)] == [0, 1]
    assert not Artifact.objects.exists()


def test_what_is_left_of_a_broken_upload_goes_after_a_day(kept: Storage) -> None:
    with pytest.raises(ConnectionError):
        storing.store(DIGEST, broken_off(), sender="7")
    assert storing.received(DIGEST, "7") == 2
    collect(timezone.now() + timedelta(hours=23))
    assert storing.received(DIGEST, "7") == 2
    collect(timezone.now() + timedelta(hours=25))
    assert (storing.received(DIGEST, "7"), kept.has(DIGEST)) == (0, False)


def broken_off() -> Iterator[bytes]:
    yield DATA[:2]
    raise ConnectionError


def test_an_upload_that_comes_while_the_file_is_deleted_stores_it_again(folder: Watched, go: Go[object]) -> None:
    deleting, on = Event(), Event()

    def wait(_: str) -> None:
        deleting.set()
        assert on.wait(LIMIT)

    folder.before = wait
    collecting = go(lambda: collect(timezone.now()))
    assert deleting.wait(LIMIT)
    uploading = go(lambda: storing.store(DIGEST, [DATA]))
    until_somebody_waits()
    on.set()
    assert collecting.result(LIMIT) == 1
    assert uploading.result(LIMIT) is True
    assert folder.read(DIGEST) == DATA
    assert collect(timezone.now()) == 0


def test_what_a_transaction_refers_to_that_has_not_ended_stays(folder: Watched, go: Go[object]) -> None:
    with transaction.atomic():
        references.refer(Kind.JOB, [("one", DIGEST)])
        assert go(lambda: collect(timezone.now())).result(LIMIT) == 0
    age()
    assert collect(timezone.now()) == 0
    assert folder.has(DIGEST)


def test_what_is_referred_to_after_it_was_found_stays(
    folder: Watched, go: Go[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "BATCH", 1)
    storing.store(OTHER, [b"other"])
    age()
    gone: list[str] = []

    def refer(digest: str) -> None:
        [rest] = {DIGEST, OTHER} - {digest}
        gone.append(digest)
        go(lambda: references.refer(Kind.JOB, [("one", rest)])).result(LIMIT)

    folder.before = refer
    assert collect(timezone.now()) == 1
    assert [folder.has(digest) for digest in (*gone, Reference.objects.get().artifact_id)] == [False, True]


def test_the_database_lets_no_artifact_go_that_is_referred_to(folder: Watched) -> None:
    references.refer(Kind.JOB, [("one", DIGEST)])
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM artifacts_artifact")
    assert Artifact.objects.get().digest == DIGEST
