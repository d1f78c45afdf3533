"""Storage, wherever it is: artifacts are whole or not there, are read back as they were, and failures are named."""

import errno
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from fsspec.implementations.memory import MemoryFileSystem

from artifacts import remote
from artifacts.errors import Damaged, NoSuchArtifact, NotADigest, StorageFull, StorageUnavailable
from artifacts.folder import Folder
from artifacts.location import opened
from artifacts.remote import Remote
from artifacts.storage import Storage
from scheduler_project.environment import Environment
from tests.artifacts import storages

LONG = bytes(range(256)) * 4 * 12_000  # 12 MB: more than two pieces
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture(params=storages.KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with storages.made(request.param, tmp_path) as storage:
        yield storage


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def put(kept: Storage, data: bytes) -> str:
        path = tmp_path / "arrived"
        path.write_bytes(data)
        kept.take(digest := hashlib.sha256(data).hexdigest(), path)
        assert not path.exists()
        return digest

    return put


@pytest.mark.parametrize("data", [b"", b"bytes", LONG], ids=["empty", "short", "long"])
def test_an_artifact_is_read_back_as_it_was(kept: Storage, put: Any, data: bytes) -> None:
    assert [put(kept, data) for _ in range(2)] == [hashlib.sha256(data).hexdigest()] * 2
    digest = hashlib.sha256(data).hexdigest()
    assert (kept.has(digest), kept.size(digest)) == (True, len(data))
    assert kept.read(digest) == b"".join(kept.pieces(digest)) == data
    assert b"".join(kept.pieces(digest, 3, 9)) == data[3:9]
    assert b"".join(kept.pieces(digest, len(data) // 2)) == data[len(data) // 2 :]


def test_what_is_not_there_is_named(kept: Storage, put: Any) -> None:
    there = put(kept, b"bytes")
    assert kept.missing([there, OTHER]) == {OTHER}
    for ask in (kept.size, kept.read, lambda digest: list(kept.pieces(digest)), lambda digest: list(kept.pieces(digest, 1))):
        with pytest.raises(NoSuchArtifact):
            ask(OTHER)
    for name in ("../x", "A" * 64, ""):
        with pytest.raises(NotADigest):
            kept.has(name)


def test_artifacts_are_listed_with_their_times_and_deleted(kept: Storage, put: Any) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=2)
    digests = {put(kept, text) for text in (b"a", b"b", b"c")}
    found = dict(kept.stored())
    assert found.keys() == digests
    assert all(begun < written < datetime.now(UTC) + timedelta(seconds=2) for written in found.values())
    first = min(digests)
    assert [kept.delete(first), kept.delete(first)] == [True, False]
    assert dict(kept.stored()).keys() == digests - {first}
    kept.discard_partial(datetime.now(UTC) + timedelta(days=1))
    assert dict(kept.stored()).keys() == digests - {first}


def test_a_storage_that_works_is_found_to_work(kept: Storage) -> None:
    kept.probe()
    assert not list(kept.stored())


def test_bytes_that_were_changed_are_not_passed_off_as_whole(tmp_path: Path, put: Any) -> None:
    with storages.made("local", tmp_path) as kept:
        digest = put(kept, LONG)
        place = tmp_path / "kept" / digest[:2] / digest
        place.write_bytes(LONG[:-1] + b"?")
        got = list[bytes]()
        with pytest.raises(Damaged):
            got.extend(kept.pieces(digest))
        assert sum(map(len, got)) < len(LONG)


class Failing(MemoryFileSystem):  # type: ignore[misc]  # untyped
    """A file system whose moves fail, or whose files are written in part."""

    protocol = "failing"
    cachable = False

    def __init__(self, error: Exception, call: str) -> None:
        super().__init__()
        self.error, self.call = error, call

    def mv(self, *args: Any, **named: Any) -> None:
        if self.call == "mv":
            raise self.error
        super().mv(*args, **named)

    def _open(self, path: str, mode: str = "rb", **named: Any) -> Any:
        file = super()._open(path, mode, **named)
        if self.call == "write" and mode == "wb":
            write = file.write

            def half(data: bytes) -> int:
                write(data[: len(data) // 2])
                raise self.error

            file.write = half
        return file


@pytest.mark.parametrize("call", ["mv", "write"])
@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "no space"), StorageFull),
        (OSError(errno.EROFS, "read-only"), StorageUnavailable),
        (PermissionError("Access Denied"), StorageUnavailable),
        (RuntimeError("of a client"), StorageUnavailable),
        (FileNotFoundError("bucket"), StorageUnavailable),
    ],
)
def test_a_failure_leaves_nothing_half_stored(tmp_path: Path, call: str, error: Exception, named: type[Exception]) -> None:
    path = tmp_path / "arrived"
    path.write_bytes(b"bytes")
    digest = hashlib.sha256(b"bytes").hexdigest()
    with storages.fresh_memory():
        files = Failing(error, call)
        kept = Remote(files, "/kept")
        with pytest.raises(named):
            kept.take(digest, path)
        assert (kept.has(digest), list(kept.stored()), files.find("/kept")) == (False, [], [])
        assert path.read_bytes() == b"bytes"
        files.call = ""
        kept.take(digest, path)
        assert kept.read(digest) == b"bytes"


def test_a_storage_that_hangs_keeps_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SECONDS", 0.2)
    answer = Event()

    class Hanging(MemoryFileSystem):  # type: ignore[misc]  # untyped
        asked = 0
        cachable = False

        def info(self, path: str, **named: Any) -> Any:
            self.asked += 1
            answer.wait()
            raise FileNotFoundError

    files = Hanging()
    kept = Remote(files, "/kept")
    for _ in range(50):
        with pytest.raises(StorageUnavailable):
            kept.has(OTHER)
    answer.set()
    assert files.asked == 1


def test_a_bucket_that_is_not_there_is_named() -> None:
    with storages.s3(), pytest.raises(StorageUnavailable, match="not there"):
        Remote(*opened("s3://nothing/here")).probe()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Folder(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "no space")))
    with pytest.raises(StorageFull):
        kept.probe()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("bucket/x", "is no URL"),
        ("s3:bucket", "is no URL"),
        ("nothing://x", "nothing is not known"),
        ("gs://bucket", "a package is missing"),
        ("https://host/x", "nothing can be written"),
        ("memory://x", "do not share"),
        ("s3://", "names no bucket"),
        ("file:///", "names no bucket"),
    ],
)
def test_a_url_of_no_place_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch, url: str, why: str) -> None:
    monkeypatch.setenv("SWITCHYARD_STORAGE", url)
    with pytest.raises(ImproperlyConfigured, match=f"SWITCHYARD_STORAGE: .*{why}"):
        Environment().location("SWITCHYARD_STORAGE")


def test_a_url_of_a_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHYARD_STORAGE", "s3://bucket/prefix")
    assert Environment().location("SWITCHYARD_STORAGE") == "s3://bucket/prefix"
