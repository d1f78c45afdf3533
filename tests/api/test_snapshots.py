"""What our API and the pages tell of jobs is of one moment: what happens while it is read is told by the next answer."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from database import rows
from jobs.leader.loop import Leader
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.wires.test_snapshots import in_a_thread

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/v1/jobs"
PATHS = [
    *(API, f"{API}/{{id}}", f"{API}/{{id}}/stages", f"{API}/{{id}}/stages/a"),
    *(f"{API}/{{id}}/tasks", f"{API}/{{id}}/stages/a/tasks", f"{API}/{{id}}/stages/a/tasks/0", f"{API}/{{id}}/results"),
    *(f"{API}/{{id}}/stages/a/results", f"{API}/{{id}}/dag.dot", f"{API}/{{id}}/dag.svg"),
    *("/ui/", "/ui/jobs/", "/ui/jobs/{id}/", "/ui/jobs/{id}/tasks/", "/ui/jobs/{id}/stages/a/tasks/0/"),
]
#: The question for the stages of a job.
STAGES = "FROM jobs_stage WHERE job_id"
STATES = re.compile(rf"\b(?:{'|'.join({*JobState.__members__, *TaskState.__members__})})\b|progress\W+[0-9.]+|\d/\d|7, 7")


class Meanwhile:
    """Lets something happen before a question about jobs, by default the second one that an answer asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.happens: Callable[[], None] | None = None
        self.asked, self.which = 0, ""
        self._asking, self._execute = threading.current_thread(), rows.execute
        monkeypatch.setattr(rows, "execute", self.execute)

    @contextmanager
    def an_answer(self, happens: Callable[[], None], which: str = "jobs_", after: int = 1) -> Iterator[None]:
        self.happens, self.which, self.asked = happens, which, -after
        with connection.execute_wrapper(self.by_django):
            yield
        assert self.asked > 0, "this answer is one question"

    def execute(self, statement: str, values: Any = ()) -> Any:
        self._before(statement)
        return self._execute(statement, values)

    def by_django(self, execute: Callable[..., Any], statement: str, *more: Any) -> Any:
        self._before(statement)
        return execute(statement, *more)

    def _before(self, statement: str) -> None:
        if not self.which or self.which not in statement or threading.current_thread() is not self._asking:
            return
        self.asked += 1
        if self.happens and self.asked > 0:
            happens, self.happens = self.happens, None
            in_a_thread(happens)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    return Meanwhile(monkeypatch)


def told(client: Client, path: str) -> list[str]:
    """Return all that an answer says of states."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return STATES.findall(b"".join(answer).decode())


@pytest.mark.parametrize("path", PATHS)
def test_a_job_that_ends_meanwhile_is_told_as_before(
    viewer: Client, submit: Callable[..., Any], leader: Leader, agent: ListAgent, meanwhile: Meanwhile, path: str
) -> None:
    path = path.format(id=submit({"a": {"parallelism": 2}})["id"])
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    before = told(viewer, path)
    with meanwhile.an_answer(lambda: turn(leader, agent.finish(agent.tasks(), "7"))):
        during = told(viewer, path)
    assert during == before
    assert told(viewer, path) != before
    assert not connection.in_atomic_block


def test_a_summary_is_one_question(
    viewer: Client, submit: Callable[..., Any], leader: Leader, agent: ListAgent, meanwhile: Meanwhile
) -> None:
    path = f"{API}/{submit({'a': {}})['id']}/summary"
    turn(leader)
    agent.listen()
    with meanwhile.an_answer(lambda: turn(leader, agent.finish(agent.tasks(), "7"))):
        shown = viewer.get(path).json()
    assert meanwhile.asked == 1, "one finds the job, and one reads it"
    assert (shown["state"], shown["tasks"]["FINISHED"], shown["ended_at"] is None) == ("FINISHED", 1, False)


@pytest.mark.parametrize("did", ["cancel", "drain", "release"])
def test_what_became_of_a_job_that_ends_meanwhile_is_of_one_moment(
    operator: Client, submit: Callable[..., Any], leader: Leader, agent: ListAgent, meanwhile: Meanwhile, did: str
) -> None:
    job = submit({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    ended = agent.finish(agent.tasks(), "7")
    with meanwhile.an_answer(lambda: turn(leader, ended), which=STAGES, after=0):
        shown = operator.post(f"{API}/{job['id']}/{did}").json()
    assert (shown["ended_at"] is None) == (shown["stages"][0]["state"] == "RUNNING")
