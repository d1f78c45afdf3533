"""Figures and moments of tasks, whichever way they ended and were told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Max

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


@pytest.mark.parametrize("how", ["FINISHED", "FAILED", "CANCELED"])
def test_seconds_that_tasks_ran_count_however_they_ended(leader: Leader, agent: ListAgent, job: Submit, how: str) -> None:
    job({"a": {"parallelism": 2}}, max_failures=5)
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.start(tasks))
    if how == "CANCELED":
        control.cancel(ANN, Job.objects.get().id)
        turn(leader)
    more = {"class": "user_error"} if how == "FAILED" else {"class": None}
    turn(leader, agent.report(others=[agent.end(task, outcome=how, metrics={"rows": 1}, **more) for task in tasks]))
    assert Stage.objects.get().run_seconds == pytest.approx(0.002)


def test_floats_among_metrics_and_accumulators_stay_floats(leader: Leader, agent: ListAgent, job: Submit) -> None:
    """jsonb makes whole numbers of those that JSON writes with an exponent."""
    told = {"a": 6.02e23, "b": -1e16, "c": 1.7976931348623157e308, "d": 5e-324, "1e+5": 2**70, "e": 3.0}
    added = told | {"f": {"average": [1e16, 2]}, "g": {"double": 1e300}}
    job({"a": {"parallelism": 3}})
    turn(leader)
    agent.listen()
    first, second, third = agent.tasks()
    update = {"stage": first[0], "attempt": 0, "index": first[2], "metrics": told, "accumulators": added}
    turn(leader, agent.start([first]))
    turn(leader, agent.report(updates=[update]))
    turn(leader, agent.report(others=[agent.end(second, outcome="FINISHED", result="1", metrics=told, accumulators=added)]))
    finished = agent.finish([third])
    finished.finished[0].metrics = [json.dumps(told)]
    turn(leader, finished)
    tasks = Task.objects.order_by("index")
    assert [repr(task.metrics) for task in tasks] == [repr(_sorted(told))] * 3
    assert [repr(task.accumulators) for task in tasks][:2] == [repr(_sorted(added))] * 2


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its keys in the order of jsonb."""
    return dict(sorted(value.items(), key=lambda item: (len(item[0]), item[0])))


def test_a_job_that_is_canceled_before_anything_began_never_ran(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    control.cancel(ANN, made.id)
    turn(leader)
    turn(leader, agent.give_back(agent.tasks()))
    made.refresh_from_db()
    assert (made.state, made.started_at) == (JobState.CANCELED, None)
    assert Stage.objects.get().started_at is None
    assert leader._memory.tally.launched == 0


def test_a_job_whose_canceled_tasks_had_begun_has_run(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    turn(leader)
    agent.listen()
    control.cancel(ANN, made.id)
    turn(leader)
    ends = [agent.end(task, outcome="CANCELED", **{"class": None}) for task in agent.tasks()]
    turn(leader, agent.report(others=ends))
    made.refresh_from_db()
    assert made.state == JobState.CANCELED
    assert made.started_at is not None


def test_what_was_given_back_is_placed_again_for_a_reason_alone(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 6}})
    turn(leader)
    agent.listen()
    running, waiting = agent.tasks()[:2], agent.tasks()[2:]
    assert waiting
    turn(leader, agent.start(running))
    turn(leader, agent.give_back(waiting))
    turn(leader, agent.report())
    leader.turn([Heartbeat(agent.node, agent.session, 1, {})])
    assert Task.objects.filter(state=TaskState.SCHEDULED).count() == 0
    assert leader._memory.tally.launched == 2
    agent.listen()
    turn(leader, agent.finish(running[:1]))
    assert Task.objects.filter(state=TaskState.SCHEDULED).count() > 0
    agent.listen()
    while tasks := agent.tasks():
        turn(leader, agent.finish(tasks))
        agent.listen()
    assert Job.objects.get().state == JobState.FINISHED


def test_a_stage_ends_with_its_last_task(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    late, early = agent.tasks()
    for report in (agent.finish([late]), agent.finish([early])):
        # The second is told of later, and ended a second before.
        report.finished[0].begun = [begun - 1_000_000 * (report.number - 1) for begun in report.finished[0].begun]
        report.finished[0].ended = [ended - 1_000_000 * (report.number - 1) for ended in report.finished[0].ended]
        Task.objects.filter(state=TaskState.SCHEDULED).update(scheduled_at=None)
        turn(leader, report)
    stage = Stage.objects.get()
    assert stage.ended_at == Task.objects.aggregate(last=Max("ended_at"))["last"]
