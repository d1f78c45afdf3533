"""The checks after a workload find what must not be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench import descriptions
from bench.checking import TaskRecord, problems
from switchyard.scheduling.lifecycle.states import TaskState

START = datetime(2026, 1, 1, tzinfo=UTC)
JOB = "job-1"
DESCRIPTION = descriptions.flat(3)


def square(index: int) -> int:
    return index * index


def task(index: int, **changes: Any) -> TaskRecord:
    times = (START, START + timedelta(seconds=1), START + timedelta(seconds=2))
    return replace(TaskRecord(JOB, "all", index, TaskState.FINISHED, 1, *times, index * index), **changes)


def found(*tasks: TaskRecord) -> list[str]:
    return problems(tasks, {JOB: DESCRIPTION}, square)


def test_a_good_run_has_no_problems() -> None:
    assert found(task(0), task(1), task(2)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"result": 2}, "all[1] of job job-1 gave 2"),
        ({"state": TaskState.FAILED}, "all[1] of job job-1 is FAILED"),
        ({"node": None}, "all[1] of job job-1 ran on no node"),
        ({"started_at": None}, "all[1] of job job-1 lacks a time"),
        ({"ended_at": START}, "all[1] of job job-1 has times out of order"),
    ],
)
def test_a_task_that_is_not_as_it_must_be_is_named(changes: dict[str, Any], told: str) -> None:
    assert found(task(0), task(1, **changes), task(2)) == [told]


@pytest.mark.parametrize("indexes", [(0, 1), (0, 1, 1), (0, 1, 2, 3), ()])
def test_tasks_that_are_missing_or_too_many_are_found(indexes: tuple[int, ...]) -> None:
    assert found(*map(task, indexes)) == ["stage all of job job-1 lacks tasks or has too many"]
