"""Records of a worker about its tasks, independent of the transport. Workers import this: it needs nothing but Python."""

from dataclasses import dataclass

#: Stands for the JSON text of a result: the task ended without one and the job tolerates that, or the job drains and the
#: task never began, so that it is no input of other tasks.
NO_RESULT, LEFT_OUT = "failed", "left out"
#: Stands, with the path of a file behind it, for the JSON text in that file.
STORED = "@"
#: Whether something is stored at the server; None if that was refused, or why the storage takes nothing.
Stored = bool | str | None
#: Stands for the checkpoint of a task that is to end: what it saves then is its last state.
LAST = 1 << 62


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

    `stdout` and `stderr` are the positions of the last task's output.
    """

    status: int
    page: Status
    signal: str = ""
    out_of_memory: bool = False
    last_line: str = ""
    stdout: tuple[int, int] = (0, 0)
    stderr: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Saved:
    """A state that a task saved: its number among those of its worker, and of which task it is, by `Status.claimed`.

    `checkpoint` is the one that it answers, 0 for none. `length` counts the elements of a list; -1 for what is none, which
    belongs to one task. `sync` are the microseconds that saving took, `at` is when that was.
    """

    number: int
    claimed: int
    checkpoint: int
    size: int
    length: int
    is_json: int
    sync: int
    at: int
