"""Checkpoints of a job as the server tells of them (docs/api.md); switchyard.answers has everything else."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CheckpointStage:
    """What the tasks of a stage have answered that a checkpoint asks; None once it is discarded."""

    name: str
    tasks: int
    answered: int | None = None
    size: int | None = None
    last_answer_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """The states of a job's running tasks, saved together; `stages` are there when one was asked for.

    `operation` is that of one that was asked for. A savepoint has a location, from which another job may start.
    A completed one lacks answers only of tasks that had `finished`. The states of a discarded one are deleted.
    """

    number: int
    state: str
    triggered_at: datetime
    periodic: bool = True
    operation: str | None = None
    tasks: int = 0
    answered: int = 0
    finished: int = 0
    size: int = 0
    failure: str = ""
    discarded: bool = False
    savepoint: bool = False
    location: str = ""
    last_answer_at: datetime | None = None
    ended_at: datetime | None = None
    stages: tuple[CheckpointStage, ...] = ()
