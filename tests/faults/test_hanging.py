"""A job that the leader does not get over: the watchdog ends the leader twice, the job is held, and all others go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from django.db import connection

from database import rows
from jobs.leader import watchdog
from jobs.models import Job
from nodes.models import Event
from switchyard.scheduling.lifecycle.states import JobState
from tests.faults.impatient import LIMIT
from tests.flows.stack import Stack, Watch

pytestmark = pytest.mark.faults
#: Seconds for which the database keeps the leader; less than a statement may take.
HINDERED = LIMIT + 7
SCRIPT = "tests/faults/impatient.py"
ENOUGH = 180.0


@contextmanager
def hindering(table: str, condition: str) -> Iterator[None]:
    """Let each change of rows of a table for which a condition holds take long."""
    rows.execute(
        "CREATE OR REPLACE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM pg_sleep({HINDERED}); RETURN NEW; END$$"
    )
    rows.execute(f"CREATE TRIGGER hinder BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION hinder()")
    try:
        yield
    finally:
        rows.execute(f"DROP TRIGGER hinder ON {table}")
        connection.close()


class Scheduler:
    """A scheduler worker that is started again as often as it ends, as the supervisor does."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ends: list[int] = []
        stack.kill("scheduler")
        stack.start("scheduler", SCRIPT)

    def until(self, condition: Callable[[], object], what: str) -> None:
        def met() -> object:
            status = self.stack.processes["scheduler"].poll()
            if status is not None:
                self.ends.append(status)
                self.stack.start("scheduler", SCRIPT)
            return condition()

        self.stack.until(met, what, ENOUGH)

    def wait(self, job: Job) -> JobState:
        self.until(lambda: Job.objects.get(id=job.id).ended_at, "the job ends")
        return JobState(Job.objects.get(id=job.id).state)


@pytest.fixture
def scheduler(stack: Stack) -> Scheduler:
    return Scheduler(stack)


def act(stack: Stack, job: Job, what: str) -> None:
    headers = {"Authorization": f"Bearer {stack.credentials['token']}"}
    answer = httpx.post(f"{stack.url}/api/v1/jobs/{job.id}/{what}", headers=headers, trust_env=False)
    assert answer.status_code == 202


def held(job: Job) -> str:
    reason: str = Job.objects.get(id=job.id).held_reason
    return reason


def test_a_job_that_cannot_be_placed_in_time_is_held_and_released(stack: Stack, watch: Watch, scheduler: Scheduler) -> None:
    stack.start_agent("only")
    first = stack.submit({"a": {"python": "bench.callables:square"}})
    assert scheduler.wait(first) == JobState.FINISHED
    with hindering("jobs_stage", "OLD.name = 'slow' AND OLD.unplaced <> NEW.unplaced"):
        bad = stack.submit({"slow": {"python": "bench.callables:square"}})
        others = [stack.submit({"a": {"python": "bench.callables:square"}}) for _ in range(3)]
        assert [scheduler.wait(job) for job in others] == [JobState.FINISHED] * 3
        scheduler.until(lambda: held(bad), "the job is held")
        assert "its step place did not end for this job" in held(bad)
        assert scheduler.ends == [watchdog.EXIT_STATUS] * 2
        told = Event.objects.filter(kind="leader_hung").order_by("id").values_list("job_id", flat=True)
        assert list(told) == [None, bad.id]
    act(stack, bad, "release")
    assert scheduler.wait(bad) == JobState.FINISHED
    assert len(scheduler.ends) == 2


def test_a_job_whose_reports_are_not_applied_in_time_is_held_and_canceled(
    stack: Stack, watch: Watch, scheduler: Scheduler
) -> None:
    stack.start_agent("only")
    with hindering("jobs_task", "NEW.exit_code = 77"):
        bad = stack.submit({"slow": {"command": "exit 77", "shell": True}})
        others = [stack.submit({"a": {"python": "bench.callables:square", "parallelism": 20}}) for _ in range(3)]
        assert [scheduler.wait(job) for job in others] == [JobState.FINISHED] * 3
        scheduler.until(lambda: held(bad), "the job is held")
        assert "its step reports did not end for this job" in held(bad)
        assert scheduler.ends == [watchdog.EXIT_STATUS] * 2
        more = stack.submit({"a": {"python": "bench.callables:square", "parallelism": 20}})
        assert scheduler.wait(more) == JobState.FINISHED
        act(stack, bad, "cancel")
        assert scheduler.wait(bad) == JobState.CANCELED
    assert len(scheduler.ends) == 2
