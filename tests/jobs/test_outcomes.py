"""How attempts ended on nodes, by type of job and what was at fault; and what the leader surveys."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from jobs.leader.loop import Leader
from jobs.leader.lost_nodes import end_session
from jobs.leader.snapshot import Surveyor
from jobs.models import Ended, Job, JobType, Lease, Survey
from jobs.reading import snapshot
from jobs.telemetry.outcomes import Tally
from nodes.models import Scheduler
from nodes.services import change_scheduler
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


def outcomes(leader: Leader) -> dict[str, int]:
    leader.tick()
    return dict(Ended.objects.values_list("outcome", "count"))


def test_ends_are_counted_by_node_type_and_fault(leader: Leader, agent: ListAgent, job: Submit) -> None:
    JobType.objects.create(name="kind", version="2", failure_categories={"InvalidData": "data"})
    job({"a": {"parallelism": 6}}, type={"name": "kind", "version": "2"}, max_failures=10)
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.finish(tasks[:2]))
    turn(leader, agent.fail(tasks[2:3], error="no"))
    turn(leader, agent.fail(tasks[3:4], error="no", exceptions=["x.InvalidData"]))
    turn(leader, agent.fail(tasks[4:6], error="killed", exit_class="killed"))
    assert outcomes(leader) == {"completed": 2, "algorithm": 1, "data": 1, "system": 2}
    assert set(Ended.objects.values_list("node_id", "job_type__name", "job_type__version")) == {(agent.node, "kind", "2")}


def test_a_doubled_report_is_counted_once(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    report = agent.finish(agent.tasks())
    turn(leader, report)
    turn(leader, report)
    assert outcomes(leader) == {"completed": 2}


def test_ends_of_a_report_that_was_taken_apart_are_counted(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 3}}, max_failures=3)
    turn(leader)
    agent.listen()
    first, second, third = agent.tasks()
    report = agent.finish([first, second])
    # PostgreSQL keeps no NUL in a text.
    report.others = agent.fail([third], error="a\0b", exit_class="killed").others
    agent.number -= 1
    turn(leader, report)
    assert outcomes(leader) == {"completed": 2, "algorithm": 1}


def test_attempts_that_are_lost_with_their_node_are_the_systems_fault(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:2]))
    end_session(agent.node, epoch=leader.epoch, kept=frozenset(), blaming=False)
    assert outcomes(leader) == {"system": 2}


def test_a_survey_tells_rates_and_ends(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:1]), agent.finish(agent.tasks()[1:3]))
    kind = JobType.objects.get().id
    assert snapshot.running() == [(agent.node, kind, 1)]
    leader.surveyor = Surveyor()
    leader.tick()
    found = snapshot.survey()
    assert found is not None
    assert found.age_seconds < 12
    assert found.ended == [(agent.node, kind, "completed", 2)]
    assert found.rates["task_updates"] > 0
    assert set(found.rates) == {
        "task_updates",
        "heartbeats",
        "nodes_sent_tasks",
        "tasks_launched",
        "tasks_finished",
        "jobs_launched",
        "jobs_finished",
    }


def test_work_goes_on_without_the_row_of_switches_until_a_survey_makes_it_again(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    Scheduler.objects.all().delete()
    job({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED
    leader.surveyor = Surveyor()
    leader.tick()
    assert Scheduler.objects.get().allocation == "fifo"


def test_working_folders_of_commands_that_ended_are_counted_as_cleaned(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"command": ["true"], "parallelism": 3}})
    job({"b": {"python": "time:time", "parallelism": 4}})
    for cleaned in ({agent.node: 3}, {}):
        turn(leader)
        agent.listen()
        turn(leader, agent.finish(agent.tasks()))
        leader.surveyor = Surveyor()
        leader.tick()
        found = snapshot.survey()
        assert found is not None
        assert found.cleaned == cleaned


def test_what_ended_long_ago_is_forgotten(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    kind = JobType.objects.get()
    Ended.objects.create(node_id=1, job_type=kind, block="2000-01-01T00:00:00Z", outcome="data", count=1)
    Surveyor().step(Tally(), epoch=leader.epoch)
    assert not Ended.objects.exists()


def test_who_does_not_lead_surveys_nothing(leader: Leader) -> None:
    Survey.objects.all().delete()
    Lease.objects.update(epoch=leader.epoch + 1)
    with pytest.raises(LeaseLost):
        Surveyor().step(Tally(), epoch=leader.epoch)
    assert not Survey.objects.exists()


def test_the_leader_logs_from_the_level_that_is_chosen(leader: Leader) -> None:
    before = logging.getLogger().level
    try:
        change_scheduler(ANN, log_level="ERROR")
        Surveyor().step(Tally(), epoch=leader.epoch)
        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(before)


def test_what_was_taken_is_counted_anew() -> None:
    tally: Any = Tally()
    tally.place(2)
    tally.report([], Counter({(1, 1, None): 3}), begun=10)
    assert tally.take() == {
        "task_updates": 0,
        "heartbeats": 0,
        "nodes_sent_tasks": 2,
        "tasks_launched": 10,
        "tasks_finished": 3,
    }
    assert set(tally.take().values()) == {0}
