"""Upkeep: the leader deletes by itself what was kept long enough, a batch between its rounds; and deleting by hand."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from artifacts.logs import LogKey, Stream, logs
from artifacts.storage import Storage
from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from jobs.upkeep import retention
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent, turn
from tests.jobs.clocks import SetClock
from tests.jobs.test_retention import ended, kept
from tests.people import ANN

__all__ = ["ended", "kept"]

Submit = Callable[..., Job]
PATIENCE = 30.0


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def keeper(leader: Leader, clock: SetClock) -> Leader:
    """Give the leader whose clock the test sets."""
    return Leader(leader.epoch, clock=clock)


def log_of(job: Job, kept: Storage) -> LogKey:
    key = LogKey(job.stages.get(name="a").id, 0, 0, Stream.STDOUT)
    logs().append(key, 0, b"hello")
    return key


def work_until(keeper: Leader, done: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    keeper.run(lambda: done() or time.monotonic() > limit)
    assert done()


def test_the_loop_deletes_old_jobs_with_their_logs_and_goes_on_working(
    keeper: Leader, clock: SetClock, agent: ListAgent, job: Submit, ended: Callable[..., Job], kept: Storage
) -> None:
    key = log_of(ended(tasks=3), kept)
    recent = ended(days=1)
    new = job({"a": {}})
    clock.later += timedelta(minutes=2)
    work_until(keeper, lambda: not logs().size(key) and not keeper.upkeep.busy)
    assert set(Job.objects.values_list("id", flat=True)) == {recent.id, new.id}
    assert Task.objects.get(stage__job=new).state == TaskState.SCHEDULED


def test_each_tick_deletes_one_bounded_batch_until_nothing_is_left(
    keeper: Leader, clock: SetClock, ended: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 1)
    for _ in range(3):
        ended()
    clock.later += timedelta(minutes=2)
    left = []
    for _ in range(4):
        keeper.tick()
        left.append(Job.objects.count())
    assert left == [2, 1, 0, 0]
    work_until(keeper, lambda: not keeper.upkeep.busy)


def test_deleting_is_begun_once_an_hour(keeper: Leader, clock: SetClock, ended: Callable[..., Job]) -> None:
    clock.later += timedelta(minutes=2)
    keeper.tick()
    work_until(keeper, lambda: not keeper.upkeep.busy)
    ended()
    clock.later += timedelta(minutes=59)
    keeper.tick()
    assert Job.objects.count() == 1
    clock.later += timedelta(minutes=1)
    keeper.tick()
    assert not Job.objects.exists()
    work_until(keeper, lambda: not keeper.upkeep.busy)


def test_what_cannot_be_swept_leaves_the_loop_working(
    keeper: Leader, clock: SetClock, agent: ListAgent, job: Submit, kept: Storage, tmp_path: Path
) -> None:
    (tmp_path / "task-logs").rmdir()
    (tmp_path / "task-logs").write_text("no folder")
    clock.later += timedelta(minutes=2)
    keeper.tick()
    work_until(keeper, lambda: not keeper.upkeep.busy)
    job({"a": {}})
    turn(keeper)
    agent.listen()
    assert len(agent.tasks()) == 1


def test_a_job_that_is_deleted_takes_its_logs_with_it(ended: Callable[..., Job], kept: Storage, settings: Settings) -> None:
    gone, stays = ended(), ended()
    keys = [log_of(gone, kept), log_of(stays, kept)]
    control.delete(ANN, gone.id)
    assert [logs().size(key) for key in keys] == [0, 5]
    assert Task.objects.count() == 2
