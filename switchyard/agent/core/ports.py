"""Ports of the machine to its shell, beside the port of each worker (switchyard.agent.core.workers.Worker)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.logs import Log
from switchyard.agent.core.records import Status, Stored
from switchyard.agent.core.workers import Task, Worker
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import File

if TYPE_CHECKING:
    from switchyard.agent.core.states import Pack


class Workers(Protocol):
    """Starts workers and ends them."""

    def start(self, entry: Entry) -> Worker:
        """Start a worker for tasks like these; it takes tasks at once. Raises OSError if the machine fails."""

    def give_up(self, worker: Worker) -> None:
        """Kill a worker that does not begin its tasks."""

    def bury(self, worker: Worker) -> None:
        """Release what a dead worker held, but for its output, and kill what its tasks have left behind."""

    def release_unused(self, workers: Iterable[Worker]) -> None:
        """Release what helps to start workers, but is of use to none of these and to few others."""


class Fetcher(Protocol):
    """Moves what is too large for messages. `done` is called later, with None for what is not to be had."""

    def description(self, stage: int, done: Callable[[Mapping[str, Any] | None], None], /) -> None:
        """Fetch the description of a stage."""

    def inputs(
        self, stage: int, lacking: Mapping[int, IndexSet], done: Callable[[Mapping[int, Mapping[str, Any]] | None], None], /
    ) -> None:
        """Fetch inputs that a stage lacks, by producer; large ones, and what they hand on, into files."""

    def forget_files(self, stage: int, /) -> None:
        """Remove the files that other stages hand on to one that has nothing here for now."""

    def forget(self, stage: int, /) -> None:
        """Remove the files with inputs of a stage that is not known any more."""

    def items(self, stage: int, low: int, high: int, done: Callable[[Mapping[int, object] | None], None], /) -> None:
        """Fetch the items of some tasks of a stage."""

    def files(self, stage: int, digest: str, done: Callable[[str | None], None], /) -> None:
        """Fetch the files of a stage; the answer is their folder."""

    def store_files(self, task: Task, files: Sequence[File], done: Callable[[Stored], None], /) -> None:
        """Store the files of a task at the server; the answer is whether all are there."""

    def abandon(self, task: Task, /) -> None:
        """Store no more of the files of a task; no answer comes."""

    def store_states(self, pack: "Pack", done: Callable[[bool | None], None], /) -> None:
        """Store states of running tasks at the server; the answer is whether they are there."""

    def states(
        self, stage: int, attempt: int, low: int, high: int, done: Callable[[Mapping[int, Sequence[Any]] | None], None], /
    ) -> None:
        """Fetch the states that tasks go on from, by index, as agent.worker.states.Kept each."""

    def store(self, digest: str, path: str, done: Callable[[Stored], None], /) -> None:
        """Store a file at the server; the answer is whether it is there."""


class Output(Protocol):
    """Moves what tasks write to the server."""

    @property
    def cap(self) -> int:
        """How many bytes of a stream are kept."""

    def finish(self, log: Log) -> None:
        """Ship all of a log; its task has ended."""

    def follow(self, worker: Worker, status: Status) -> None:
        """Ship the output of a running task, and keep it from filling the disk."""

    def discard(self, path: str) -> None:
        """Remove the file of a result that is stored."""


class Logger(Protocol):
    """Takes what an operator should read."""

    def warning(self, event: str, /, **facts: Any) -> Any:
        """Log a warning."""

    def error(self, event: str, /, **facts: Any) -> Any:
        """Log an error."""
