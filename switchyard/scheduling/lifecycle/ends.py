"""Ends of attempts: what was reported, and what becomes of the task."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.retry import Failure

#: How many attempts of a stage ended on a node, and how: None for with success.
Ends = Counter[tuple[int, int, Failure | None]]


@dataclass(slots=True)
class Judged:
    """An end and what becomes of its task; `sent` is what the clock of its node showed with the report."""

    end: Mapping[str, Any]
    node: int
    sent: int
    before: TaskState
    after: TaskState
    failures: int
    losses: int
    due: float | None = None
