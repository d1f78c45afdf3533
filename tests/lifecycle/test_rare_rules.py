"""Rules that random histories do not come to, on PostgreSQL and in memory."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import redis

from database import rows
from jobs.models import Job, Stage, Task
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.lifecycle import abandonment, apply_reports, placing, reuse, stopping, timeouts
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.lifecycle.frontier import frontier
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.spec import from_data
from switchyard.scheduling.spec.types import JobSpec
from tests.jobs import submissions
from tests.lifecycle.both import Both

SOON, LATE = 0.001, 3600
LINE: list[dict[str, Any]] = [
    {"name": "a", "python": "m:a", "parallelism": 2},
    {"name": "b", "python": "m:b", "needs": ["a"]},
]
ITEMS: list[dict[str, Any]] = [
    {"name": "a", "python": "m:a", "parallelism": 2},
    {"name": "b", "python": "m:b", "foreach": {"from": "a"}},
]
GANG: list[dict[str, Any]] = [{"name": "a", "python": "m:a", "parallelism": 2, "gang": True}]


@pytest.fixture
def both(transactional_db: None, broker: redis.Redis) -> Both:
    both = Both()
    both.register("n", cpus=2000)
    return both


def spec(stages: list[dict[str, Any]] = LINE, **more: object) -> JobSpec:
    return from_data({"name": "rare", "stages": stages, **more})


def place(both: Both) -> None:
    def rule(records: Any) -> int:
        done = placing.place(records, Memo(), epoch=both.epoch, at=0.0, ask=lambda _: dict)
        return len(done.assignments)

    both.run(rule)


def finish(both: Both, stage: int, *results: str) -> None:
    """Let the first tasks of a stage finish with these results."""
    (record,) = both.store.nodes.values()
    group = Finished(stage, 0)
    for index, result in enumerate(results):
        group.add(index, 0, 1_000_000, result, 0, None)
    told = Report(record.id, record.session, record.last_report + 1, pause=0, sent=2_000_000, finished=[group])
    both.run(lambda records: apply_reports.apply(records, [told], Measures(), epoch=both.epoch, blaming=True).accepted)


@pytest.fixture(params=["off", "on"])
def plan(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[None]:
    """Have the planner look up rows by their places, or not, for which it has its reasons now and then."""
    rows.execute(f"SET enable_tidscan = {request.param}")
    yield
    rows.execute("RESET enable_tidscan")


def test_a_job_that_no_node_could_ever_run_is_refused_when_it_is_submitted(both: Both) -> None:
    both.submit(spec([{"name": "a", "python": "m:a", "resources": {"cpus": 64}}, {"name": "b", "python": "m:b"}]))
    both.compare()
    assert [stage.refusal is not None for stage in both.store.stages.values()] == [True, False]


def test_of_what_is_told_of_an_attempt_twice_the_first_counts(both: Both, plan: None) -> None:
    id_ = both.submit(spec([{"name": "a", "python": "m:a", "parallelism": 2}]))
    place(both)
    (record,) = both.store.nodes.values()
    stage = Stage.objects.get(job_id=id_).id
    groups = [Finished(stage, 0), Finished(stage, 0)]
    for group, index, result in ((0, 0, "1"), (0, 1, "2"), (0, 1, "3"), (1, 0, "4")):
        groups[group].add(index, 0, 1_000_000, result, 0, None)
    told = Report(record.id, record.session, record.last_report + 1, pause=0, sent=2_000_000, finished=groups)
    both.run(lambda records: apply_reports.apply(records, [told], Measures(), epoch=both.epoch, blaming=True).accepted)
    assert list(Task.objects.order_by("index").values_list("result", flat=True)) == [1, 2]


def stages(job: UUID) -> list[int]:
    return list(Stage.objects.filter(job=job).order_by("position").values_list("id", flat=True))


def told(both: Both, job: UUID) -> tuple[JobState, str]:
    return both.store.jobs[job].row.state, both.store.jobs[job].error


def test_jobs_fail_that_wait_or_run_for_too_long(both: Both) -> None:
    runs = both.submit(spec(timeouts={"queue": LATE, "run": SOON}))
    place(both)
    finish(both, stages(runs)[0], "1")
    waits = both.submit(spec(timeouts={"queue": SOON}))
    others = [both.submit(spec(timeouts=each)) for each in ({"run": SOON}, {"queue": LATE}, {})]
    both.run(lambda records: timeouts.expire(records, epoch=both.epoch, jobs=[]))
    assert told(both, waits) == (JobState.CREATED, "")
    both.run(lambda records: timeouts.expire(records, epoch=both.epoch))
    assert told(both, runs) == (JobState.FAILING, "the job ran longer than its run timeout")
    assert told(both, waits) == (JobState.FAILING, "the job waited longer than its queue timeout")
    assert {told(both, job) for job in others} == {(JobState.CREATED, "")}


def test_a_stopping_job_is_not_failed_for_its_time(both: Both) -> None:
    job = both.submit(spec(timeouts={"queue": SOON}))
    both.cancel(job)
    both.run(lambda records: timeouts.expire(records, epoch=both.epoch))
    assert told(both, job) == (JobState.CANCELING, "canceled by ann")


def test_the_first_reason_stays(both: Both) -> None:
    job = both.submit(spec(timeouts={"queue": SOON}))
    both.run(lambda records: timeouts.expire(records, epoch=both.epoch))
    both.cancel(job)
    both.compare()
    assert told(both, job) == (JobState.CANCELING, "the job waited longer than its queue timeout")


def test_a_job_is_ended_plainly_once_nothing_of_it_is_listed(both: Both) -> None:
    listed, waiting = both.submit(spec()), both.submit(spec(ITEMS))
    place(both)
    finish(both, stages(waiting)[0], "[1]", "[2]")
    for job in (listed, waiting):
        both.cancel(job)
    for records in (both.sql, both.memory):
        with pytest.raises(abandonment.OnLists):
            abandonment.end_plainly(records, listed, epoch=both.epoch)
    both.compare()
    both.run(lambda records: abandonment.end_plainly(records, waiting, epoch=both.epoch))
    assert told(both, waiting) == (JobState.CANCELED, "canceled by ann")


@pytest.mark.parametrize(
    ("described", "results", "reused"),
    [(LINE, ("1", "2"), 1), (ITEMS, ("[1, 2]", "[3]"), 1), (LINE, ("1",), 1), (GANG, ("1",), 0)],
)
def test_a_retry_takes_over_what_had_finished(
    both: Both, described: list[dict[str, Any]], results: tuple[str, ...], reused: int
) -> None:
    old = both.submit(spec(described))
    place(both)
    finish(both, stages(old)[0], *results)
    both.cancel(old)
    both.run(lambda records: stopping.stop(records, [old], epoch=both.epoch).cancels)
    both.run(lambda records: abandonment.end_plainly(records, old, epoch=both.epoch) if not records.is_listed(old) else None)
    if both.store.jobs[old].ended_at is None:
        (record,) = both.store.nodes.values()
        ends = [
            End(row.stage, row.attempt, index, ended=1, outcome=Outcome.CANCELED)
            for row in both.store.assignments.values()
            for index in row.listed
        ]
        told = Report(record.id, record.session, record.last_report + 1, pause=0, sent=2, others=ends)
        both.run(lambda records: apply_reports.apply(records, [told], Measures(), epoch=both.epoch, blaming=True).accepted)
    new = submissions.retry(old)
    both.store.submit(new, Job.objects.get(id=new).number, spec(described), stages(new))
    before = both.memory.before(old)
    assert before == both.sql.before(old)
    number, standing = both.store.jobs[old].row.number, frontier(spec(described), spec(described), before)
    copied = reuse.reuse(both.memory, number, before, new, standing, both.store.now)
    both.compare()
    assert len(copied) == reused
