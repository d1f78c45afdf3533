"""What answers cost: the same statements however many jobs, stages, tasks, nodes, attempts and events there are."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import redis
from django.test import Client
from django.utils import timezone

from jobs.models import Attempt, Checkpoint, SavedStates, Stage, Task
from nodes.models import Event
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
WIDE = {"parallelism": 500}
VERTEX = "/jobs/{job}/vertices/{vertex}"
SUBTASK = f"{VERTEX}/subtasks/0"
PATHS = [
    *("/config", "/overview", "/jobs", "/jobs/overview", "/jobs/metrics?get=uptime", "/datasets", "/jars"),
    *("/taskmanagers", "/taskmanagers/metrics?get=Status.JVM.CPU.Load"),
    *(f"/taskmanagers/{{node}}{rest}" for rest in ("", "/metrics", "/log", "/logs", "/stdout", "/thread-dump")),
    *("/jobmanager/config", "/jobmanager/log", "/jobmanager/logs", "/jobmanager/metrics?get=numRunningJobs"),
    *("/jobmanager/stdout", "/jobmanager/thread-dump"),
    *(f"/jobs/{{job}}{rest}" for rest in ("", "/vertices", "/accumulators", "/config", "/exceptions", "/execution-result")),
    *(f"/jobs/{{job}}{rest}" for rest in ("/metrics?get=uptime", "/plan", "/status")),
    *(f"/jobs/{{job}}/checkpoints{rest}" for rest in ("", "/config", "/details/1", "/details/1/subtasks/{vertex}")),
    *(f"{VERTEX}{rest}" for rest in ("", "/accumulators", "/backpressure", "/metrics?get=0.a", "/subtasks/accumulators")),
    *(f"{VERTEX}{rest}" for rest in ("/subtasks/metrics?get=a", "/subtasktimes", "/taskmanagers", "/watermarks")),
    *(f"{SUBTASK}{rest}" for rest in ("", "/metrics", "/attempts/{attempt}", "/attempts/{attempt}/accumulators")),
]


def ids(made: dict[str, Any], agent: ListAgent) -> dict[str, str]:
    stage = Stage.objects.get(job_id=made["id"], name="s0").id
    return {"job": UUID(made["id"]).hex, "vertex": f"{stage:032x}", "node": f"{agent.node:032x}", "attempt": "0"}


def test_answers_cost_as_many_statements_however_much_there_is(
    viewer: Client,
    submit: Submit,
    agent: ListAgent,
    broker: redis.Redis,
    statements: Callable[[Client, str], int],
) -> None:
    small = ids(submit({"s0": {"parallelism": 2}}, checkpoint={}), agent)
    save(small, 1)
    few = {path: statements(viewer, path.format(**small)) for path in PATHS}
    for number in range(2, 6):
        ListAgent(broker, f"n{number}")
        submit({"s0": {}})
    buffered = [{"stage": "s0", "exchange": "pointwise", "buffer": 5}]
    large = ids(submit({"s0": WIDE, **{f"s{n}": {"needs": buffered} | WIDE for n in range(1, 12)}}, checkpoint={}), agent)
    for number in range(1, 20):
        save(large, number)
    large["attempt"] = fill(int(large["vertex"], 16))
    assert {path: statements(viewer, path.format(**large)) for path in PATHS} == few


def fill(stage: int) -> str:
    """Let tasks have told and been tried again, and much have happened; return the number of the last attempt."""
    Task.objects.filter(stage=stage).update(attempt=6, accumulators={"a": 1}, metrics={"a": 1})
    Attempt.objects.bulk_create(
        Attempt(stage_id=stage, index=index, attempt=5, state=TaskState.FAILED, error="no") for index in range(500)
    )
    Event.objects.bulk_create(Event(at=timezone.now(), kind="node_back", text="x", node_id=None) for _ in range(500))
    return "6"


def save(of: dict[str, str], number: int) -> None:
    """Let a job have a checkpoint that all tasks of a stage answer, five at a time."""
    stage = Stage.objects.get(id=int(of["vertex"], 16))
    asked, now = [[stage.id, 0, [[0, stage.parallelism]]]], timezone.now()
    made = Checkpoint.objects.create(
        job_id=stage.job_id,
        number=number,
        state=number % 3,
        asked=asked,
        tasks=stage.parallelism,
        triggered_at=now,
        ended_at=now,
    )
    for low in range(0, stage.parallelism, 5):
        indexes = range(low, min(low + 5, stage.parallelism))
        SavedStates.objects.create(
            stage=stage,
            checkpoint=made,
            tasks=IndexSet.from_indexes(indexes),
            size=5,
            states=[[index, 0, index, 1, True, -1, 0, 0] for index in indexes],
            stored_at=now,
        )
