"""Programs, inputs and progress of a job's stages, without their files and items."""

from typing import Any, Literal, NamedTuple
from uuid import UUID

from database import rows
from jobs.reading.stages import state_of
from switchyard.scheduling.lifecycle.states import TaskState

#: Characters that are shown of a command.
SHOWN = 500

Kind = Literal["command", "python"]


class Input(NamedTuple):
    """A stage that another reads from: its id, its place in the job, its number of tasks, and what goes to whom."""

    stage: int
    position: int
    tasks: int
    exchange: str


class Plan(NamedTuple):
    """A stage; `tasks` is 0 while nobody knows how many it will have, `seconds` is the time that its tasks have run."""

    id: int
    position: int
    name: str
    state: str
    kind: Kind
    program: str
    gang: bool
    foreach: bool
    tasks: int
    finished: int
    begun: bool
    seconds: float
    inputs: tuple[Input, ...]


_STAGES = """SELECT id, position, name, counts, open_needs, ended_at IS NOT NULL, started_at IS NOT NULL,
    spec ->> 'python', left(spec ->> 'command', %s), coalesce((spec ->> 'gang')::bool, false),
    coalesce(jsonb_typeof(spec -> 'foreach'), 'null') <> 'null' OR given -> 'foreach' IS NOT NULL, parallelism, run_seconds
    FROM jobs_stage WHERE job_id = %s ORDER BY position"""
_INPUTS = """SELECT e.consumer_id, p.id, p.position, p.parallelism, e.exchange
    FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id WHERE e.job_id = %s ORDER BY p.position"""


def plans(job: UUID) -> list[Plan]:
    """Return the plan of each stage of a job, by position: producers before their consumers."""
    inputs: dict[int, list[Input]] = {}
    for consumer, *of in rows.fetch(_INPUTS, [job]):
        inputs.setdefault(consumer, []).append(Input(*of))
    return [_plan(row, tuple(inputs.get(row[0], ()))) for row in rows.fetch(_STAGES, [SHOWN, job])]


def _plan(row: tuple[Any, ...], inputs: tuple[Input, ...]) -> Plan:
    id_, position, name, counts, open_needs, ended, started, python, command, gang, foreach, tasks, seconds = row
    return Plan(
        id_,
        position,
        name,
        state_of(counts, open_needs=open_needs, ended=ended),
        "command" if python is None else "python",
        command if python is None else python,
        gang,
        foreach,
        tasks,
        counts[TaskState.FINISHED],
        started or counts[TaskState.CREATED] < sum(counts),
        seconds,
        inputs,
    )
