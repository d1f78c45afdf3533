"""Buffers: producers go no further ahead of what takes their results than these hold, and go on as it does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from database import rows
from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from jobs.reading.backpressure import held_back, held_shares
from jobs.reading.explanations import explain_job
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA

Submit = Callable[..., Job]
Tasks = list[tuple[int, int, int]]


def need(stage: str, buffer: int) -> dict[str, Any]:
    return {"stage": stage, "exchange": "pointwise", "buffer": buffer}


def placed(leader: Leader, agent: ListAgent, stage: str) -> list[int]:
    """Return which tasks of a stage stand on the list."""
    turn(leader)
    agent.listen()
    return [index for id_, _, index in agent.tasks() if id_ == Stage.objects.get(name=stage).id]


def tasks(agent: ListAgent, stage: str, *indexes: int) -> Tasks:
    id_ = Stage.objects.get(name=stage).id
    return [task for task in agent.tasks() if task[0] == id_ and task[2] in indexes]


def work_off(leader: Leader, agent: ListAgent) -> None:
    turn(leader)
    agent.listen()
    while left := agent.tasks():
        turn(leader, agent.finish(left[:2]))
        agent.listen()


def test_a_producer_goes_on_as_its_results_are_taken(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 6}, "b": {"parallelism": 6, "needs": [need("a", 2)]}})
    assert placed(leader, agent, "a") == [0, 1]
    turn(leader, agent.finish(tasks(agent, "a", 0, 1)))
    assert placed(leader, agent, "a") == [], "two results wait, even though b is on the list"
    assert placed(leader, agent, "b") == [0, 1]
    turn(leader, agent.start(tasks(agent, "b", 1)))
    assert placed(leader, agent, "a") == [2], "the one that has begun has taken its own"
    turn(leader, agent.finish(tasks(agent, "b", 0, 1)))
    assert placed(leader, agent, "a") == [2, 3]
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_each_of_several_buffers_holds_back(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job(
        {
            "a": {"parallelism": 8},
            "b": {"parallelism": 8, "needs": [need("a", 4)]},
            "c": {"parallelism": 4, "needs": [need("a", 2), need("b", 3)]},
        }
    )
    assert placed(leader, agent, "a") == [0, 1]
    turn(leader, agent.finish(tasks(agent, "a", 0, 1)))
    assert (placed(leader, agent, "a"), placed(leader, agent, "b")) == ([], [0, 1])
    turn(leader, agent.finish(tasks(agent, "b", 0, 1)))
    assert (placed(leader, agent, "a"), placed(leader, agent, "c")) == ([], [0])
    turn(leader, agent.start(tasks(agent, "c", 0)))
    assert placed(leader, agent, "a") == [2, 3]
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_a_task_that_is_tried_again_keeps_its_place(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job(
        {"a": {"parallelism": 4}, "b": {"parallelism": 4, "needs": [need("a", 1)]}},
        retry={"attempts": 3, "backoff": {"initial": 0, "jitter": 0}},
    )
    assert placed(leader, agent, "a") == [0]
    turn(leader, agent.fail(tasks(agent, "a", 0)))
    assert placed(leader, agent, "a") == [0]
    turn(leader, agent.finish(tasks(agent, "a", 0)))
    assert placed(leader, agent, "b") == [0]
    turn(leader, agent.fail(tasks(agent, "b", 0)))
    assert (placed(leader, agent, "a"), placed(leader, agent, "b")) == ([1], [0]), "it has taken its result before"
    turn(leader, agent.finish(tasks(agent, "a", 1)))
    assert violations() == []
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_a_job_that_drains_leaves_nothing_held_back(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 9}, "b": {"parallelism": 9, "needs": [need("a", 2)]}})
    placed(leader, agent, "a")
    turn(leader, agent.start(tasks(agent, "a", 0, 1)))
    control.drain(ADA, made.id)
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED
    assert Task.objects.filter(state=TaskState.CANCELED).count() == 14


def test_a_retried_job_goes_on_from_what_is_there(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 4}, "b": {"parallelism": 4, "needs": [need("a", 1)]}})
    placed(leader, agent, "a")
    turn(leader, agent.finish(tasks(agent, "a", 0)))
    placed(leader, agent, "b")
    turn(leader, agent.fail(tasks(agent, "b", 0)))
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    made.refresh_from_db()
    assert made.state == JobState.FAILED
    again = Job.objects.get(id=submissions.retry(made.id))
    work_off(leader, agent)
    again.refresh_from_db()
    assert again.state == JobState.FINISHED


def test_what_is_held_back_is_explained_and_measured(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 5}, "b": {"parallelism": 5, "needs": [need("a", 2)]}})
    placed(leader, agent, "a")
    turn(leader, agent.finish(tasks(agent, "a", 0, 1)))
    producer, consumer = Stage.objects.order_by("position")
    assert {id_: tuple(held) for id_, held in held_back(made.id).items()} == {producer.id: (3, ("b",), 2)}
    explained = explain_job(made.id, now=timezone.now())
    assert explained is not None
    reasons = {stage["stage"]: stage["reasons"] for stage in explained["stages"]}
    assert reasons["a"] == ["3 tasks are held back: b must take results first, of which 2 may wait."]
    rows.execute("UPDATE jobs_job SET created_at = created_at - interval '1 hour'")
    now = timezone.now().timestamp()
    assert held_shares(producer.id, 5, now=now) == [0, 0, 1, 1, 1]
    assert held_shares(consumer.id, 5, now=now) == []
    placed(leader, agent, "b")
    turn(leader, agent.start(tasks(agent, "b", 0)))
    shares = held_shares(producer.id, 5, now=timezone.now().timestamp() + 30)
    assert shares[:2] == [0, 0]
    assert 0.4 < shares[2] < 0.6, "it was let through half a minute before"
    assert shares[3:] == [1, 1]


def test_what_lacks_its_own_input_is_not_held_back(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job(
        {
            "a": {"parallelism": 6},
            "b": {"parallelism": 6, "needs": [{"stage": "a", "exchange": "pointwise"}]},
            "c": {"parallelism": 6, "needs": [need("b", 1)]},
        }
    )
    placed(leader, agent, "a")
    turn(leader, agent.finish(tasks(agent, "a", 0, 1, 2)))
    assert placed(leader, agent, "b") == [0]
    middle = Stage.objects.get(name="b").id
    assert {id_: held.tasks for id_, held in held_back(made.id).items()} == {middle: 2}
    shares = held_shares(middle, 6, now=timezone.now().timestamp() + 600)
    assert shares == [0, 1, 1, 0, 0, 0]
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


@pytest.mark.parametrize("buffer", [3, 4, 20])
@pytest.mark.parametrize(("wide", "narrow"), [(12, 4), (4, 12), (7, 5)])
def test_any_widths_get_through(leader: Leader, agent: ListAgent, job: Submit, wide: int, narrow: int, buffer: int) -> None:
    made = job({"a": {"parallelism": wide}, "b": {"parallelism": narrow, "needs": [need("a", buffer)]}})
    work_off(leader, agent)
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_jobs_without_buffers_are_not_looked_at(leader: Leader, agent: ListAgent, job: Submit, monkeypatch: Any) -> None:
    job({"a": {"parallelism": 4}, "b": {"parallelism": 4, "needs": [{"stage": "a", "exchange": "pointwise"}]}})
    said: list[str] = []
    execute = rows.execute

    def listen(statement: str, values: Any = ()) -> Any:
        said.append(statement)
        return execute(statement, values)

    monkeypatch.setattr(rows, "execute", listen)
    work_off(leader, agent)
    assert said
    assert not [statement for statement in said if "buffer IS NOT NULL" in statement or "let_through" in statement]


def test_a_buffer_that_overflows_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}, "b": {"parallelism": 2, "needs": [need("a", 2)]}})
    Task.objects.filter(stage__name="a", index__lt=3).update(state=TaskState.FINISHED)
    assert "I7 no more results wait to be taken than a buffer holds" in {each.invariant for each in violations()}
    Task.objects.filter(stage__name="a").update(state=TaskState.CREATED)
