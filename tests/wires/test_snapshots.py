"""An answer is of one moment: what happens while it is made is told by the next one."""

import gc
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from database import rows
from jobs.leader.loop import Leader
from tests.jobs.agents import ListAgent, turn

pytestmark = pytest.mark.django_db(transaction=True)

Submit = Callable[..., dict[str, Any]]
Meanwhile = Callable[[Callable[[], None]], None]
#: Keys whose values are words for states.
STATES = {"state", "status", "job_status", "stage_status", "tasks", "status-counts"}
PAGES = [
    *("/jobs", "/jobs/overview", "/jobs/{job}", "/jobs/{job}/vertices/{v0}", "/jobs/{job}/vertices/{v0}/taskmanagers"),
    *("/api/jobs", "/api/job/{id}", "/api/job/{id}/stages"),
]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Let something happen after the first question about jobs that the next answer asks of the database."""
    waiting: list[Callable[[], None]] = []
    asking, fetch = threading.current_thread(), rows.fetch

    def interrupted(statement: str, *values: Any) -> list[Any]:
        found = fetch(statement, *values)
        if waiting and "jobs_" in statement and threading.current_thread() is asking:
            in_a_thread(waiting.pop())
        return found

    monkeypatch.setattr(rows, "fetch", interrupted)
    return waiting.append


def in_a_thread(run: Callable[[], None]) -> None:
    """Run something on a connection of its own, to its end."""
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            run()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def words(value: Any) -> Iterator[Any]:
    """Yield all that an answer says of states."""
    for name, each in value.items() if isinstance(value, dict) else ():
        if name in STATES and not isinstance(each, list):
            yield name, each
        else:
            yield from words(each)
    for each in value if isinstance(value, list) else ():
        yield from words(each)


def asked(viewer: Client, path: str) -> list[Any]:
    return list(words(json.loads(b"".join(viewer.get(path)))))


@pytest.fixture
def ids(submit: Submit, leader: Leader, agent: ListAgent, placed: Callable[[], list[tuple[int, int, int]]]) -> dict[str, str]:
    """Give the ids of a job that runs, and of its stage."""
    made = submit({"a": {"parallelism": 2}})
    tasks = placed()
    turn(leader, agent.start(tasks))
    return {"id": made["id"], "job": made["id"].replace("-", ""), "v0": f"{tasks[0][0]:032x}"}


@pytest.mark.parametrize("path", PAGES)
def test_a_job_that_ends_meanwhile_is_told_as_before(
    viewer: Client, ids: dict[str, str], leader: Leader, agent: ListAgent, meanwhile: Meanwhile, path: str
) -> None:
    path = path.format(**ids)
    before = asked(viewer, path)
    meanwhile(lambda: turn(leader, agent.finish(agent.tasks())))
    assert asked(viewer, path) == before
    assert asked(viewer, path) != before
    assert not connection.in_atomic_block


def test_a_list_that_is_streamed_is_of_one_moment_to_its_end(
    viewer: Client,
    ids: dict[str, str],
    leader: Leader,
    agent: ListAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"wires.answering.STREAMED": 1, "wires.writing.ROWS_A_TEXT": 1}.items():
        monkeypatch.setattr(name, value)
    monkeypatch.setattr("jobs.reading.attempts.TASKS_A_PIECE", 1)
    path = f"/jobs/{ids['job']}/vertices/{ids['v0']}"
    before = asked(viewer, path)
    answer = viewer.get(path)
    assert answer.streaming
    in_a_thread(lambda: turn(leader, agent.finish(agent.tasks())))
    assert list(words(json.loads(b"".join(answer)))) == before
    assert not connection.in_atomic_block, "the answer was closed at its end"


def test_a_streamed_list_that_nobody_reads_holds_nothing(
    viewer: Client, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wires.answering.STREAMED", 1)
    for answer in (viewer.get("/jobs/overview"), viewer.head("/jobs/overview")):
        answer.close()
        assert not connection.in_atomic_block


def test_a_streamed_list_that_a_test_forgets_is_not_ended_by_the_collector_of_garbage(
    viewer: Client, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wires.answering.STREAMED", 1)
    forgotten = [viewer.get("/jobs/overview")]
    forgotten.append(forgotten)  # type: ignore[arg-type]  # a circle, as Django's answers are in
    del forgotten
    gc.collect()
    assert connection.in_atomic_block
