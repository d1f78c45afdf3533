"""A node in memory: the agent's machine with workers, a journal and a fetcher that are values, in virtual time."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchyard.agent.core import history
from switchyard.agent.core.builds import Built, Failed, Outcome
from switchyard.agent.core.entries import Entry
from switchyard.agent.core.environments import BOUND, Done
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.logs import Log
from switchyard.agent.core.machine import Machine, Ports
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.records import Status, Stored
from switchyard.agent.core.reports import RESEND
from switchyard.agent.core.states import Pack
from switchyard.agent.core.workers import Task, Worker
from switchyard.messaging.messages import Command
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import File
from switchyard.simulation.memory.worker import Item, MemoryWorker, new_worker


class MemoryJournal(Notes):
    """A journal as a list of values; the first is its header."""

    def __init__(self, session: str, highest: int) -> None:
        self.highest = highest
        self.values: list[Any] = []
        self._session = session
        self.rewrite([])

    def rewrite(self, rest: Iterable[Any]) -> None:
        self.values = [_copy({"session": self._session, "highest": self.highest}), *map(_copy, rest)]

    def note(self, *values: Any) -> None:
        self.values.extend(map(_copy, values))

    def write(self, lines: bytes) -> None:
        self.values.extend(map(json.loads, lines.splitlines()))


@dataclass(frozen=True, slots=True)
class Question:
    """Something that the machine has fetched or stored; `asked` are the arguments."""

    kind: str
    stage: int
    asked: tuple[Any, ...]
    done: Callable[[Any], None]


class MemoryFetcher:
    """Keeps the questions until somebody answers them, but for states: tasks go on from those of `restored`."""

    def __init__(self) -> None:
        self.restored: dict[int, Sequence[Any]] = {}
        self.questions: list[Question] = []
        #: Stages whose files of others were forgotten.
        self.forgotten: list[int] = []

    def description(self, stage: int, done: Callable[[Mapping[str, Any] | None], None], /) -> None:
        self.questions.append(Question("description", stage, (), done))

    def inputs(
        self, stage: int, lacking: Mapping[int, IndexSet], done: Callable[[Mapping[int, Mapping[str, Any]] | None], None], /
    ) -> None:
        self.questions.append(Question("inputs", stage, (dict(lacking),), done))

    def forget(self, stage: int, /) -> None:
        pass

    def items(self, stage: int, low: int, high: int, done: Callable[[Mapping[int, object] | None], None], /) -> None:
        self.questions.append(Question("items", stage, (low, high), done))

    def files(self, stage: int, digest: str, done: Callable[[str | None], None], /) -> None:
        self.questions.append(Question("files", stage, (digest,), done))

    def forget_files(self, stage: int, /) -> None:
        self.forgotten.append(stage)

    def store_files(self, task: Task, files: Sequence[File], done: Callable[[Stored], None], /) -> None:
        self.questions.append(Question("store_files", task[0], (task, tuple(files)), done))

    def store_states(self, pack: Pack, done: Callable[[bool | None], None], /) -> None:
        self.questions.append(Question("store_states", pack.stage, (pack,), done))

    def states(
        self, stage: int, attempt: int, low: int, high: int, done: Callable[[Mapping[int, Sequence[Any]] | None], None], /
    ) -> None:
        done({index: kept for index, kept in self.restored.items() if low <= index < high})

    def abandon(self, task: Task, /) -> None:
        self.questions = [each for each in self.questions if each.kind != "store_files" or each.asked[0] != task]

    def store(self, digest: str, path: str, done: Callable[[Stored], None], /) -> None:
        self.questions.append(Question("store", 0, (digest, path), done))


class MemoryBuilder:
    """Keeps the builds until somebody ends them: `running` by digest, `there` the environments by folder."""

    def __init__(self) -> None:
        self.running: dict[str, Done] = {}
        self.canceled: set[str] = set()
        self.there: set[str] = set()
        self._number = 0

    def build(self, digest: str, wanted: Mapping[str, Any], done: Done, /) -> None:
        assert digest not in self.running, "two builds of one environment"
        self.running[digest] = done

    def cancel(self, digest: str, /) -> None:
        self.canceled.add(digest)

    def said(self, digest: str, /) -> str:
        return "Collecting"

    def use(self, home: str, /) -> bool:
        return home in self.there

    def remove(self, home: str, /) -> None:
        self.there.remove(home)

    def end(self, digest: str, failed: Failed | None = None, size: int = 1) -> None:
        """End a build, as it failed, was canceled, or is done."""
        outcome: Outcome | None = failed
        if digest in self.canceled:
            outcome = None
        elif failed is None:
            self._number += 1
            outcome = Built(f"/environments/{self._number}", size, "log")
            self.there.add(outcome.home)
        self.canceled.discard(digest)
        self.running.pop(digest)(outcome)


class MemoryOutput:
    """Takes logs, and keeps none."""

    cap = 1 << 20

    def finish(self, log: Log) -> None:
        return

    def follow(self, worker: Worker, status: Status) -> None:
        return

    def discard(self, path: str) -> None:
        return


@dataclass
class Story:
    """What the machine logs."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def warning(self, event: str, /, **facts: Any) -> None:
        self.events.append((event, facts))

    error = warning


class MemoryNode:
    """One agent: hand it commands and answers, let its workers do something, and have it `turn`.

    `sent` are the reports that it sent, in order, each with whether it was sent before. `began` is told each task that
    begins. While `full`, the machine can neither start nor describe anything to a worker.
    """

    def __init__(
        self,
        room: dict[str, int],
        now: float,
        *,
        node: int = 1,
        session: str = "session",
        last_report: int = 0,
        pause: int = 0,
        recovered: Recovered | None = None,
        began: Callable[[MemoryWorker, Item], None] = lambda worker, item: None,
        bound: int = BOUND,
    ) -> None:
        recovered = recovered or Recovered()
        self.room, self.now, self.full = room, now, False
        self.sent: list[tuple[dict[str, Any], bool]] = []
        self.faults: list[str] = []
        self.workers: list[MemoryWorker] = []
        self.fetcher, self.builder, self.story = MemoryFetcher(), MemoryBuilder(), Story()
        self.journal = MemoryJournal(session, recovered.highest)
        self.wait = RESEND
        self._began = began
        self._number = 0
        self.machine = Machine(
            Ports(self, self.fetcher, self.builder, MemoryOutput(), self.journal, self.story, self._send, self.faults.append),
            node=node,
            session=session,
            room=room,
            recovered=recovered,
            last_report=last_report,
            pause=pause,
            bound=bound,
        )
        self.machine.recover(recovered, now)
        self.journal.known(recovered.entries)

    def start(self, entry: Entry) -> MemoryWorker:
        """Start a worker."""
        if self.full:
            raise OSError(28, "no space")
        self._number += 1
        worker = new_worker(self._number, entry, self._began)
        self.workers.append(worker)
        return worker

    def give_up(self, worker: Worker) -> None:
        worker.clear()

    def bury(self, worker: Worker) -> None:
        self.workers.remove(worker)  # type: ignore[arg-type]

    def release_unused(self, workers: Iterable[Worker]) -> None:
        return

    def command(self, command: Command) -> None:
        """Take a command, as a message."""
        self.machine.command(Command.decode(_copy(command.encode())), self.now)

    def answer(self, question: Question, value: Any) -> None:
        self.fetcher.questions.remove(question)
        self.machine.at(self.now)
        question.done(value)

    def turn(self) -> None:
        """Read what workers wrote, hear which have ended, and do what follows, as switchyard.agent.supervisor does."""
        self._attempt(self._hear)
        self._attempt(lambda: self.machine.feed(self.now))
        if self.machine.due(self.now):
            self.machine.tick(self.now)
            self._attempt(lambda: self.machine.feed(self.now))
        self.wait = self.machine.flush(self.now)

    def crash(self) -> tuple[list[Any], dict[int, Status]]:
        """Return what a successor finds: the journal, and the status of each worker; none of these goes on."""
        return self.journal.values, {worker.number: worker.status() for worker in self.workers}

    def _hear(self) -> None:
        for worker in list(self.workers):
            lines = worker.take_lines()
            if lines and not worker.mute:
                self.machine.results(worker, lines, self.now)
            if worker.mute:
                worker.clear()
            if worker.dead is None and worker.dismissed and not worker.tasks:
                worker.die(0)
            if worker.dead is not None:
                self.machine.died(worker, worker.death(), self.now)

    def _attempt(self, what: Callable[[], None]) -> None:
        try:
            what()
        except OSError as error:
            self.faults.append(str(error))
            self.machine.leave("unfit", self.now)

    def _send(self, report: dict[str, Any], again: bool) -> None:
        self.sent.append((_copy(report), again))


def recover(remains: tuple[list[Any], dict[int, Status]], *, reported: int) -> Recovered:
    """Return what is left of an agent that crashed; `reported` is the number of its last report that was applied."""
    values, pages = remains
    return history.read(values, pages, reported=reported, folder="workers", cap=MemoryOutput.cap, size=lambda _: 0)


class TimedNode(MemoryNode):
    """A node whose workers run each task for a virtual time.

    `seconds` says for how long a task runs, `ends` with what beside a result (nothing: it finishes).
    """

    seconds: Callable[[Task], float] = staticmethod(lambda task: 0.01)
    ends: Callable[[Task], dict[str, Any]] = staticmethod(lambda task: {})
    _turn_at = 0.0

    @property
    def next_at(self) -> float:
        """When something happens next by itself."""
        return min([self._turn_at, *(self._end(worker) for worker in self.workers)])

    def advance(self, now: float) -> None:
        """Let pass what happens until a time, which is not before that of the last call."""
        self.now = now
        for worker in self.workers:
            if worker.dead is None:
                self._work(worker)
        self.turn()
        # What was just handed over is begun at once.
        for worker in self.workers:
            if worker.dead is None:
                self._work(worker)
        self._turn_at = now + self.wait

    def _end(self, worker: MemoryWorker) -> float:
        """Return when a worker's task ends; one that is killed or that gets TERM ends at once."""
        if worker.current is None:
            return self.now if worker.lines or worker.dead is not None else math.inf
        if worker.signals:
            return self.now
        return worker.begun / 1e6 + self.seconds(worker.current.task)

    def _work(self, worker: MemoryWorker) -> None:
        while worker.dead is None:
            if worker.current is not None:
                at = self._end(worker)
                if at > self.now:
                    return
                ended = self.ends(worker.current.task) or ({"class": "killed"} if worker.signals else {})
                worker.signals.clear()
                worker.end_task(at, **ended)
            elif worker.read_item is not None:
                worker.begin(self.now)
            elif worker.pipe:
                worker.read()
            else:
                return


def _copy(value: Any) -> Any:
    """Return a value as JSON carries it."""
    return json.loads(json.dumps(value))
