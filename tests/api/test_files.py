"""The files of a job: lists of them in pages, downloads whole and in ranges, and storage that cannot be used."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from access.roles import Role
from artifacts.storage import storage
from jobs.models import Task
from switchyard.messaging.messages import IDENTITY
from switchyard.scheduling.lifecycle.states import TaskState
from tests.holding import put
from tests.jobs.agents import ListAgent
from tests.people import as_

pytestmark = pytest.mark.django_db
DATA = bytes(range(256)) * 10
DIGEST = hashlib.sha256(DATA).hexdigest()
Submit = Callable[..., dict[str, Any]]
OUTPUTS = {"model": "model.bin", "parts": "parts/*"}


@pytest.fixture
def mine(agent: ListAgent) -> Client:
    """Give the client of an agent."""
    return Client(raise_request_exception=False, headers={**as_(Role.AGENT), IDENTITY: agent.identity})


@pytest.fixture
def files(submit: Submit) -> str:
    """Give the address of the files of a job of two stages, of three tasks with two files each."""
    stage: dict[str, Any] = {"python": None, "command": ["true"], "parallelism": 3, "outputs": OUTPUTS}
    job = submit({"a": stage, "b": stage, "none": {}})
    put(DATA)
    for name in ("a", "b"):
        told = [["model", "model.bin", DIGEST, len(DATA), False], ["parts", "x/1", DIGEST, len(DATA), True]]
        Task.objects.filter(stage__job=job["id"], stage__name=name).update(state=TaskState.FINISHED, files=told)
    return f"/api/v1/jobs/{job['number']}"


def test_files_of_a_job_are_listed_in_pages_and_filtered(files: str, viewer: Client) -> None:
    found, path = list[tuple[Any, ...]](), f"{files}/files?limit=5"
    while path:
        page = viewer.get(path).json()
        found += [(each["stage"], each["index"], each["output"], each["path"]) for each in page["results"]]
        assert len(page["results"]) <= 5
        path = page["next"]
    names = (("model", "model.bin"), ("parts", "x/1"))
    assert found == [(stage, index, *name) for stage in "ab" for index in range(3) for name in names]
    [first, *_] = only = viewer.get(f"{files}/files?stage=b&output=parts").json()["results"]
    assert len(only) == 3
    assert first == {
        "stage": "b", "index": 0, "output": "parts", "path": "x/1", "digest": DIGEST, "size": len(DATA), "executable": True,
    }  # fmt: skip
    assert viewer.get(f"{files}/files?stage=none").json()["results"] == []


def test_files_of_a_job_are_read_in_one_statement_however_many(
    files: str, viewer: Client, statements: Callable[[Client, str], int]
) -> None:
    assert statements(viewer, f"{files}/files?limit=1") == statements(viewer, f"{files}/files?limit=500")


@pytest.mark.parametrize(
    ("query", "status"),
    [("cursor=x", 400), ("cursor=1.2", 400), (f"cursor={9**30}.1.1", 400), ("limit=0", 400), ("x=1", 400), ("stage=no", 404)],
)
def test_bad_questions_for_files_are_refused(files: str, viewer: Client, query: str, status: int) -> None:
    assert viewer.get(f"{files}/files?{query}").status_code == status


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=2550-", 206, DATA[2550:]),
        ("bytes=-3", 206, DATA[-3:]),
        ("bytes=2000-99999", 206, DATA[2000:]),
        ("bytes=0-", 200, DATA),
        ("bytes=99999-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-3", 416, b""),
        ("bytes=0-1,5-6", 200, DATA),
        ("lines=1-2", 200, DATA),
    ],
)
def test_a_range_of_a_file_is_given(files: str, viewer: Client, asked: str, status: int, got: bytes) -> None:
    path = f"{files}/stages/a/tasks/1/files/model/model.bin"
    answer = viewer.get(path, headers={"Range": asked})
    assert (answer.status_code, b"".join(answer)) == (status, got)
    if status == 206:
        begin = DATA.index(got) if len(got) != 10 else 0
        assert answer["Content-Length"] == str(len(got))
        assert answer["Content-Range"].endswith(f"/{len(DATA)}"), begin
    other = viewer.get(path, headers={"Range": "bytes=0-1", "If-Range": '"another"'})
    assert (other.status_code, b"".join(other), other["ETag"]) == (200, DATA, f'"{DIGEST}"')


def test_a_storage_that_is_not_there_is_named_and_nothing_is_half_stored(
    mine: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.STORAGE = f"file://{tmp_path}/absent/folder"
    storage.cache_clear()
    data, path = b"new", f"/api/v1/agent/artifacts/{hashlib.sha256(b'new').hexdigest()}"
    refused = mine.put(path, data, content_type="application/octet-stream")
    assert refused.status_code == 503
    [error] = refused.json()["errors"]
    assert (error["code"], error["detail"]) == ("storage_unavailable", "The folder or bucket of the storage is not there.")
    assert mine.get(path).json() == {"stored": False, "offset": 3}
    (tmp_path / "absent" / "folder").mkdir(parents=True)
    assert mine.put(f"{path}?offset=3", b"", content_type="application/octet-stream").status_code == 201
    assert mine.get(path).json() == {"stored": True}
    assert storage().read(path[-64:]) == data


def test_an_upload_at_another_offset_is_told_where_to_go_on(mine: Client) -> None:
    answer = mine.put(f"/api/v1/agent/artifacts/{DIGEST}?offset=9", b"x", content_type="application/octet-stream")
    assert (answer.status_code, answer.json()["size"], answer.json()["errors"][0]["code"]) == (409, 0, "gap")
    assert mine.put(f"/api/v1/agent/artifacts/{DIGEST}?offset=-1", b"x").status_code == 400
