"""Retention: what ended long ago goes, in bounded steps, with its logs and results; everything else stays."""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from artifacts import references, storing
from artifacts.kinds import Kind
from artifacts.logs import LogKey, Stream, logs
from artifacts.models import Artifact, Reference
from artifacts.storage import Storage
from database import rows
from jobs.checks.invariants import violations
from jobs.leader.loop import Leader
from jobs.models import Attempt, Edge, Job, Stage, Task
from jobs.upkeep.retention import expire, sweep
from nodes.models import Event
from tests.holding import put
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]


@pytest.fixture(autouse=True)
def kept(kept: Storage, settings: Settings) -> Storage:
    """Keep jobs for ten days, and bytes in a folder of the test's own."""
    settings.KEEP_DAYS = 10
    return kept


@pytest.fixture
def ended(leader: Leader, agent: ListAgent, job: Submit) -> Callable[..., Job]:
    """Run a job to its end, so many days ago."""

    def make(tasks: int = 1, *, days: int = 11) -> Job:
        made = job({"a": {"parallelism": tasks}, "b": {"needs": ["a"]}})
        while not Job.objects.get(id=made.id).ended_at:
            turn(leader)
            agent.listen()
            turn(leader, agent.finish(agent.tasks()))
        Job.objects.filter(id=made.id).update(ended_at=timezone.now() - timedelta(days=days))
        made.refresh_from_db()
        return made

    return make


def write(kept: Storage, data: bytes, root: Path, *, days: int = 0) -> str:
    digest = put(data)
    age(root, digest, days)
    return digest


def age(root: Path, digest: str, days: int) -> None:
    then = (timezone.now() - timedelta(days=days)).timestamp()
    os.utime(root / "artifacts" / digest[:2] / digest, (then, then))


def test_a_job_goes_with_all_its_rows_when_its_time_is_over(ended: Callable[..., Job]) -> None:
    ended()
    assert expire(timezone.now()).jobs == 1
    assert not any(model.objects.exists() for model in (Job, Stage, Edge, Task, Attempt))
    assert not expire(timezone.now())


def test_jobs_stay_while_they_live_and_for_their_time_after(
    leader: Leader, agent: ListAgent, job: Submit, ended: Callable[..., Job]
) -> None:
    recent = ended(days=9)
    live = job({"a": {}})
    Job.objects.filter(id=live.id).update(created_at=timezone.now() - timedelta(days=99))
    assert not expire(timezone.now())
    assert set(Job.objects.values_list("id", flat=True)) == {recent.id, live.id}


def test_a_large_job_goes_in_steps_and_no_invariant_breaks_between(ended: Callable[..., Job]) -> None:
    ended(tasks=25)
    left = []
    while expire(timezone.now(), limit=10):
        left.append(Task.objects.count())
        assert violations() == []
    assert left == [16, 6, 0]


def test_small_jobs_go_together_up_to_the_limit(ended: Callable[..., Job]) -> None:
    for _ in range(3):
        ended(tasks=3)
    steps = [expire(timezone.now(), limit=8) for _ in range(3)]
    assert [(step.jobs, step.tasks) for step in steps] == [(2, 8), (1, 4), (0, 0)]


def test_a_retry_of_an_expired_job_stays(ended: Callable[..., Job]) -> None:
    old, new = ended(), ended(days=1)
    Job.objects.filter(id=new.id).update(retried_from=old)
    expire(timezone.now())
    assert Job.objects.get().retried_from is None


def test_old_events_of_no_job_go_and_new_ones_stay(leader: Leader) -> None:
    now = timezone.now()
    for days in (1, 11):
        Event.objects.create(at=now - timedelta(days=days), kind="node", text="heard of")
    assert expire(now).events == 1
    assert Event.objects.filter(kind="node").count() == 1


def test_logs_go_with_their_job_and_others_stay(ended: Callable[..., Job], kept: Storage) -> None:
    old, new = ended(), ended(days=1)
    keys = [LogKey(job.stages.get(name="a").id, 0, 0, Stream.STDOUT) for job in (old, new)]
    for key in keys:
        logs().append(key, 0, b"hello")
    expire(timezone.now())
    assert sweep(timezone.now()) == 1
    assert [logs().size(key) for key in keys] == [0, 5]


def test_a_retried_job_keeps_the_logs_of_the_attempts_that_made_its_results(
    leader: Leader, agent: ListAgent, job: Submit, kept: Storage, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    """Also those of the job before the one before, when both are gone."""
    made = job({"a": {}, "b": {"needs": ["a"]}}, retry={"attempts": 2, "backoff": {"initial": 0, "jitter": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()[:1]))
    for number, text in enumerate((b"wrong", b"right")):
        logs().append(log_of(made, number), 0, text)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish([task for task in agent.tasks() if task[0] == log_of(made, 0).stage], "1"))
    for _ in range(2):
        while not Job.objects.get(id=made.id).ended_at:
            turn(leader)
            agent.listen()
            turn(leader, agent.fail(agent.tasks()))
        with django_capture_on_commit_callbacks(execute=True):
            made = Job.objects.get(id=submissions.retry(made.id))
    Job.objects.exclude(id=made.id).update(ended_at=timezone.now() - timedelta(days=11))
    expire(timezone.now())
    assert sweep(timezone.now()) == 2
    assert Job.objects.get() == made
    assert logs().read(log_of(made, 0), 0, 100) == b"right"


def log_of(job: Job, attempt: int) -> LogKey:
    return LogKey(job.stages.get(name="a").id, 0, attempt, Stream.STDOUT)


def test_results_that_no_task_has_go_after_a_day(ended: Callable[..., Job], kept: Storage, tmp_path: Path) -> None:
    made = ended(days=1)
    used = write(kept, b'"used"', tmp_path, days=20)
    unused, fresh = write(kept, b'"unused"', tmp_path, days=2), write(kept, b'"fresh"', tmp_path)
    Task.objects.filter(stage__job=made, index=0).update(result_digest=used)
    references.refer(Kind.JOB, [(made.id, used)])
    Artifact.objects.update(touched_at=timezone.now() - timedelta(days=20))
    assert sweep(timezone.now()) == 1
    assert [kept.has(digest) for digest in (used, unused, fresh)] == [True, False, True]


def test_a_result_that_an_agent_asks_about_stays_for_another_day(leader: Leader, kept: Storage, tmp_path: Path) -> None:
    digest = write(kept, b'"again"', tmp_path, days=2)
    assert not storing.store(digest, [b'"again"'])
    assert sweep(timezone.now()) == 0
    assert kept.read(digest) == b'"again"'


def test_the_command_goes_on_until_nothing_is_left(ended: Callable[..., Job]) -> None:
    for _ in range(2):
        ended(tasks=3)
    out = StringIO()
    call_command("expire", stdout=out)
    assert out.getvalue() == "Deleted 2 jobs, 8 tasks, 0 logs and artifacts.\n"
    assert not Job.objects.exists()


def test_results_go_a_day_after_the_last_job_that_has_them(
    leader: Leader, agent: ListAgent, job: Submit, kept: Storage
) -> None:
    digest = hashlib.sha256(b'"large"').hexdigest()
    made = [job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}}) for _ in range(2)]
    turn(leader)
    agent.listen()
    tasks = [task for task in agent.tasks() if agent.stages[task[0]]["name"] == "a"]
    assert storing.store(digest, [b'"large"'])
    agent.forget(tasks)
    ends = [agent.end(task, outcome="FINISHED", result=None, result_digest=digest) for task in tasks]
    turn(leader, agent.report(others=ends))
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    assert references_of(digest) == {str(each.id) for each in made}
    again = Job.objects.get(id=submissions.retry(made[0].id))
    assert references_of(digest) == {str(each.id) for each in (*made, again)}
    Job.objects.exclude(id=again.id).update(ended_at=timezone.now() - timedelta(days=11))
    assert expire(timezone.now()).jobs == 2
    assert references_of(digest) == {str(again.id)}
    assert sweep(timezone.now() + timedelta(days=2)) == 0
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    Job.objects.update(ended_at=timezone.now() - timedelta(days=11))
    assert expire(timezone.now()).jobs == 1
    assert [sweep(timezone.now() + timedelta(hours=hours)) for hours in (23, 25)] == [0, 1]
    assert not kept.has(digest)


def references_of(digest: str) -> set[str]:
    return set(Reference.objects.filter(artifact=digest, kind=Kind.JOB).values_list("referrer", flat=True))


def test_what_gives_no_large_results_asks_nothing_of_artifacts(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = rows.execute

    def watched(statement: str, values: Any = ()) -> Any:
        asked.append(statement)
        return execute(statement, values)

    monkeypatch.setattr(rows, "execute", watched)
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = agent.tasks()
    turn(leader, agent.finish([first]))
    turn(leader, agent.report(others=[agent.end(second, outcome="FINISHED", result="1")]))
    assert len(asked) > 10
    assert not [statement for statement in asked if "artifacts_" in statement]


def test_results_from_before_there_were_references_get_them(ended: Callable[..., Job], kept: Storage) -> None:
    made, digest = ended(), "ab" * 32
    Task.objects.filter(stage__job=made, stage__name="a").update(result_digest=digest)
    call_command("migrate", "jobs", "0022_items", verbosity=0)
    call_command("migrate", "jobs", verbosity=0)
    assert references_of(digest) == {str(made.id)}
