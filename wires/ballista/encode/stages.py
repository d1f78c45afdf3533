"""The stages of a job with all their tasks, written task by task, so that memory is bounded.

A row is a task's result: a task reads those that it is handed, and writes its own.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from json import dumps
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import TASK_ENDS, TaskState
from switchyard.scheduling.pointwise import overlapping
from switchyard.scheduling.retry import ExitClass
from wires.ballista.decode import PlanFormat
from wires.ballista.encode import plans
from wires.ballista.states import FAILED, KILLED, REASONS, STAGES, TASKS, UNKNOWN

if TYPE_CHECKING:
    from jobs.reading.plans import Plan
    from jobs.reading.times import Course

#: Tasks that are made into one text.
TASKS_A_TEXT = 1000
_QUARTERS = {"min": 0, "p25": 25, "median": 50, "p75": 75, "max": 100}


def stages(shown: Sequence["Plan"], courses: Iterable["Course"], format_: PlanFormat, *, now: int) -> Iterator[str]:
    """Yield the text of all stages; `courses` are their tasks in the order of the stages' ids, `now` is in ms."""
    tasks_of = groupby(courses, key=lambda course: course.stage)
    pending = next(tasks_of, None)
    yield '{"stages":['
    for place, plan in enumerate(sorted(shown, key=lambda plan: plan.id)):
        yield "," if place else ""
        found: Iterator[Course] = iter(())
        if pending and pending[0] == plan.id:
            found = pending[1]
        yield from _stage(plan, found, format_, now=now)
        if pending and pending[0] == plan.id:
            pending = next(tasks_of, None)
    yield "]}"


@dataclass(slots=True)
class _Sums:
    """What is known of a stage once all its tasks were seen."""

    durations: "array[int]" = field(default_factory=lambda: array("q"))
    inputs: "array[int]" = field(default_factory=lambda: array("q"))
    written: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, course: "Course", task: dict[str, Any]) -> None:
        self.durations.append(task["exec_duration"])
        self.inputs.append(task["input_rows"])
        self.written += task["output_rows"]
        if course.started is not None:
            self.first = course.started if self.first is None else min(self.first, course.started)
        if course.ended is not None:
            self.last = course.ended if self.last is None else max(self.last, course.ended)


def _stage(plan: "Plan", courses: Iterator["Course"], format_: PlanFormat, *, now: int) -> Iterator[str]:
    head = {"stage_id": str(plans.number(plan)), "stage_status": STAGES[plan.state]}
    if plan.begun:
        head["stage_plan"] = plans.stage_text(plan, format_)
    yield _text(head)[:-1] + ',"tasks":['
    sums = _Sums()
    if plan.begun:
        yield from _tasks(plan, courses, sums)
    yield "]," + _text(_told(sums, now if plan.state == "RUNNING" else sums.last))[1:]


def _tasks(plan: "Plan", courses: Iterator["Course"], sums: _Sums) -> Iterator[str]:
    held: list[dict[str, Any] | None] = []
    before = ""
    for course in courses:
        made = task(plan, course)
        if made:
            sums.add(course, made)
        held.append(made)
        if len(held) == TASKS_A_TEXT:
            yield before + _text(held)[1:-1]
            held, before = [], ","
    if held:
        yield before + _text(held)[1:-1]


def _told(sums: _Sums, until: int | None) -> dict[str, Any]:
    known = sums.first is not None and until is not None and until >= sums.first
    told: dict[str, Any] = {
        "input_rows": sum(sums.inputs),
        "output_rows": sums.written,
        "elapsed_compute": plans.duration((until or 0) - (sums.first or 0)) if known else None,
    }
    if sums.durations:
        told["task_duration_percentiles"] = percentiles(sums.durations)
        told["task_input_percentiles"] = percentiles(sums.inputs)
    return told


def task(plan: "Plan", course: "Course") -> dict[str, Any] | None:
    """Return a task, or None for one that no executor has begun."""
    status = TASKS[course.state]
    if status is None or (course.started is None and course.state in TASK_ENDS):
        return None
    started, ended = course.started or 0, course.ended or 0
    return {
        "id": course.task,
        "status": _failure(course) if status == FAILED else status,
        "partition_id": course.task,
        "scheduled_time": course.scheduled or 0,
        "launch_time": course.scheduled or 0,
        "start_exec_time": started,
        "end_exec_time": ended,
        "exec_duration": max(ended - started, 0),
        "finish_time": ended,
        "input_rows": rows_read(plan, course.task),
        "output_rows": int(course.state == TaskState.FINISHED),
    }


def rows_read(plan: "Plan", index: int) -> int:
    """Return how many results a task is handed: of a pointwise input those whose share overlaps its own, else all."""
    return sum(
        _overlapping(each.tasks, plan.tasks, index) if each.exchange == "pointwise" else each.tasks for each in plan.inputs
    )


def percentiles(values: Iterable[int]) -> dict[str, int]:
    """Return the values at nearest ranks, halves rounded up."""
    ranked = sorted(values)
    return {name: ranked[(2 * part * (len(ranked) - 1) + 100) // 200] for name, part in _QUARTERS.items()}


def _failure(course: "Course") -> dict[str, Any]:
    if course.state == TaskState.CANCELED:
        return {FAILED: {"reason": KILLED, "error": course.error or "Cancelled"}}
    reason = REASONS[ExitClass(course.exit_class)] if course.exit_class else UNKNOWN
    return {FAILED: {"reason": reason, "error": course.error or course.exit_class or ""}}


def _overlapping(producers: int, tasks: int, index: int) -> int:
    low, high = overlapping(index, index + 1, tasks, producers)
    return high - low


def _text(value: Any) -> str:
    return dumps(value, ensure_ascii=False, separators=(",", ":"))
