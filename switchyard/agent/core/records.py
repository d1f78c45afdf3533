"""Records of a worker about its tasks, independent of the transport."""

import json
from dataclasses import dataclass, field
from typing import Any

#: Stands for the JSON text of a result: the task ended without one and the job tolerates that, or the job drains and the
#: task never began, so that it is no input of other tasks.
NO_RESULT, LEFT_OUT = "failed", "left out"
#: Stands, with the path of a file behind it, for the JSON text in that file.
STORED = "@"


@dataclass(frozen=True, slots=True)
class Status:
    """The task that a worker began last; `claimed` counts the tasks that it has begun."""

    claimed: int
    stage: int
    attempt: int
    index: int
    begun: int
    stdout: int
    stderr: int
    again: int

    @property
    def task(self) -> tuple[int, int, int]:
        return self.stage, self.attempt, self.index


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a worker process: its wait status, negative for a signal, and what its last task left behind.

    `written` are the ends of the last task's streams, by stream: [start, end].
    """

    status: int
    page: Status
    signal: str = ""
    out_of_memory: bool = False
    last_line: str = ""
    written: dict[str, list[int]] = field(default_factory=dict)


def plain_end(
    stage: int,
    attempt: int,
    index: int,
    begun: int,
    ended: int,
    result: str | None,
    inputs: int = 0,
    metrics: str | None = None,
) -> dict[str, Any]:
    """Return an end as an object that a worker wrote as a list."""
    end = {"stage": stage, "attempt": attempt, "index": index, "begun": begun, "ended": ended, "result": result}
    return {**end, "inputs": inputs, "outcome": "FINISHED", **({"metrics": json.loads(metrics)} if metrics else {})}
