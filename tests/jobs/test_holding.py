"""A job whose rows break a step of the leader: it is held with the reason, and all others go on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from database import rows
from jobs.commands import control
from jobs.leader.bisect import isolate
from jobs.leader.loop import Leader
from jobs.models import Assignment, Job, Stage, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]
ODD = {"timeouts": {"queue": "soon"}}


def tick(leader: Leader) -> None:
    turn(leader)
    leader.tick()


def run(leader: Leader, agent: ListAgent) -> None:
    tick(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))


def test_a_job_with_an_odd_timeout_is_held(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad, good = job({"a": {"resources": {"cpus": 64}}}), job({"b": {}})
    Job.objects.filter(id=bad.id).update(spec={**bad.spec, **ODD})
    run(leader, agent)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert "soon" in bad.held_reason
    assert good.state == JobState.FINISHED
    Job.objects.filter(id=bad.id).update(spec=bad.spec | {"timeouts": {}})
    control.release(ANN, bad.id)
    tick(leader)
    bad.refresh_from_db()
    assert bad.held_reason == ""


@pytest.mark.parametrize("again", [False, True])
def test_a_held_job_that_cannot_be_stopped_by_its_rows_is_canceled(
    leader: Leader, agent: ListAgent, job: Submit, *, again: bool
) -> None:
    bad, good = job({"a": {"parallelism": 3}, "b": {"needs": ["a"]}}), job({"c": {}})
    Stage.objects.filter(job=bad, name="a").update(counts=[])
    if again:
        Job.objects.filter(id=bad.id).update(held_reason="odd")
    control.cancel(ANN, bad.id)
    run(leader, agent)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, bad.held_reason, good.state) == (JobState.CANCELED, "", JobState.FINISHED)
    assert set(Task.objects.filter(stage__job=bad).values_list("state", flat=True)) == {TaskState.CANCELED}


def test_a_job_that_stands_on_lists_and_cannot_be_stopped_is_held(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad = job({"a": {"parallelism": 2}})
    turn(leader)
    counts = Stage.objects.get().counts
    Stage.objects.update(counts=[])
    control.cancel(ANN, bad.id)
    tick(leader)
    tick(leader)
    bad.refresh_from_db()
    assert (bad.state, bool(bad.held_reason)) == (JobState.CANCELING, True)
    Stage.objects.update(counts=counts)
    control.cancel(ANN, bad.id)
    tick(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    bad.refresh_from_db()
    assert (bad.state, bad.held_reason) == (JobState.CANCELED, "")


def test_a_job_of_which_nothing_can_be_given_up_keeps_no_session_alive(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    turn(leader)
    counts = Stage.objects.get(job=bad).counts
    Stage.objects.filter(job=bad).update(counts=[])
    Node.objects.update(figures={"left": True})
    # Whichever of the two jobs is tried first: one tick ends the session, the other finds what breaks it.
    tick(leader)
    tick(leader)
    bad.refresh_from_db()
    assert bad.held_reason
    assert Node.objects.get().session == ""
    assert list(Assignment.objects.values_list("stage__job", flat=True)) == [bad.id]
    assert Task.objects.get(stage__job=good).state == TaskState.CREATED
    Stage.objects.filter(job=bad).update(counts=counts)
    control.release(ANN, bad.id)
    tick(leader)
    assert not Assignment.objects.exists()


def test_an_odd_job_keeps_no_backoff_of_others_waiting(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    Node.objects.update(paused=True)
    past = timezone.now() - timedelta(seconds=1)
    Stage.objects.update(next_due=past, delayed="{[0,1)}")
    counts = Stage.objects.get(job=bad).counts
    Stage.objects.filter(job=bad).update(counts=[None] * len(counts))
    tick(leader)
    assert Stage.objects.get(job=good).next_due is None
    Stage.objects.filter(job=bad).update(counts=counts)


def test_what_takes_too_long_is_somebodys_fault() -> None:
    def work(items: Any) -> None:
        raise psycopg.errors.QueryCanceled if 3 in items else psycopg.errors.ProgramLimitExceeded

    blamed: list[int] = []
    isolate([1, 3], work, lambda item, _: blamed.append(item))
    assert blamed == [1, 3]
    assert rows.is_transient(psycopg.errors.AdminShutdown())
    assert not rows.is_transient(psycopg.errors.QueryCanceled())
