"""What people want of a job stands beside what it is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command

from database import rows
from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job
from switchyard.scheduling.lifecycle.states import Intent, JobState
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA

Submit = Callable[..., Job]


def placed(leader: Leader, agent: ListAgent) -> list[tuple[int, int, int]]:
    turn(leader)
    agent.listen()
    return agent.tasks()


def stands(job: Job) -> tuple[JobState, Intent]:
    job.refresh_from_db()
    return JobState(job.state), Intent(job.intent)


def test_a_cancel_supersedes_a_drain(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    assert stands(made) == (JobState.CREATED, Intent.RUN)
    turn(leader, agent.start(placed(leader, agent)))
    control.drain(ADA, made.id)
    assert stands(made) == (JobState.RUNNING, Intent.DRAIN)
    control.cancel(ADA, made.id)
    assert stands(made) == (JobState.CANCELING, Intent.CANCEL)


def test_a_job_that_fails_is_still_wanted_as_before(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    turn(leader, agent.fail(placed(leader, agent)))
    assert stands(made) == (JobState.FAILED, Intent.RUN)
    control.cancel(ADA, made.id)
    assert stands(made) == (JobState.FAILED, Intent.RUN)


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Callable[[str], Any]]:
    """Bring the tables of jobs to a migration, and in the end to the last one."""
    yield lambda name: call_command("migrate", "jobs", name, verbosity=0)
    call_command("migrate", "jobs", verbosity=0)


def test_the_migration_keeps_what_people_want_both_ways(migrate: Callable[[str], Any], job: Submit) -> None:
    runs, drains, stops, both, failing = (job({"a": {}}).id for _ in range(5))
    for id_ in (drains, both, failing):
        control.drain(ADA, id_)
    for id_ in (stops, both):
        control.cancel(ADA, id_)
    Job.objects.filter(id=failing).update(state=JobState.FAILING)
    wanted = dict(Job.objects.values_list("id", "intent"))
    migrate("0024")
    assert set(rows.fetch("SELECT id FROM jobs_job WHERE draining")) == {(drains,), (failing,)}
    migrate("0025")
    assert wanted == {runs: 0, drains: 1, stops: 2, both: 2, failing: 1} == dict(Job.objects.values_list("id", "intent"))
