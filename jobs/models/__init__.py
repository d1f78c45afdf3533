"""The tables of jobs, of their execution, and of what is asked and known of them."""

from jobs.models.execution import (
    Assignment,
    Attempt,
    AttemptRecord,
    Edge,
    FailedStep,
    Items,
    Job,
    JobType,
    Lease,
    Stage,
    Task,
)
from jobs.models.figures import Ended, Figure, LaidOut, Survey
from jobs.models.programs import Program
from jobs.models.requests import Checkpoint, Operation, SavedStates

__all__ = [
    "Assignment",
    "Attempt",
    "AttemptRecord",
    "Checkpoint",
    "Edge",
    "Ended",
    "FailedStep",
    "Figure",
    "Items",
    "Job",
    "JobType",
    "LaidOut",
    "Lease",
    "Operation",
    "Program",
    "SavedStates",
    "Stage",
    "Survey",
    "Task",
]
