"""Checking: is what the rows say of ended jobs what must have happened? Pure; the rows are read in records."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from switchyard.scheduling.lifecycle.states import TaskState


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as its row tells of it."""

    job: str
    stage: str
    index: int
    state: TaskState
    node: int | None
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    result: Any


def problems(
    tasks: Iterable[TaskRecord],
    jobs: Mapping[str, Mapping[str, Any]],
    function: Callable[[int], Any],
) -> list[str]:
    """Say what is wrong with the tasks of these jobs, given by id with their descriptions; `function` gives results."""
    found = []
    indexes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for task in tasks:
        indexes[task.job, task.stage].append(task.index)
        if wrong := _wrong(task, function):
            found.append(f"{task.stage}[{task.index}] of job {task.job} {wrong}")
    for id_, description in jobs.items():
        for stage in description["stages"]:
            if sorted(indexes[id_, stage["name"]]) != list(range(stage.get("parallelism", 1))):
                found.append(f"stage {stage['name']} of job {id_} lacks tasks or has too many")
    return found


def _wrong(task: TaskRecord, function: Callable[[int], Any]) -> str | None:
    if task.state != TaskState.FINISHED:
        return f"is {task.state.name}"
    if task.node is None:
        return "ran on no node"
    if not (task.scheduled_at and task.started_at and task.ended_at):
        return "lacks a time"
    if not task.scheduled_at <= task.started_at <= task.ended_at:
        return "has times out of order"
    if task.result != function(task.index):
        return f"gave {task.result!r:.100}"
    return None
