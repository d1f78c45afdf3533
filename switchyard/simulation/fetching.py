"""What an agent asks the server for while its tasks wait, again until there is an answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from switchyard.agent.core.records import Stored
from switchyard.agent.core.states import Pack
from switchyard.agent.core.workers import Task
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import File
from switchyard.simulation.memory.rows import StateRecord
from switchyard.simulation.network import Answer, Refused, SessionEnded, Unreachable
from switchyard.simulation.server import Registered
from switchyard.simulation.truth import Restored, Snapshot

if TYPE_CHECKING:
    from switchyard.simulation.agents import Agent

T = TypeVar("T")
#: Seconds between attempts.
AGAIN = 1.0


class Fetching:
    """Asks for one session of an agent; what comes after it is dropped."""

    def __init__(self, agent: "Agent", registered: Registered) -> None:
        self._agent = agent
        self._who = registered.node, registered.secret

    def description(self, stage: int, done: Callable[[Mapping[str, Any] | None], None], /) -> None:
        self._ask(lambda: self._agent.server.description(*self._who, stage), done)

    def inputs(
        self, stage: int, lacking: Mapping[int, IndexSet], done: Callable[[Mapping[int, Mapping[str, Any]] | None], None], /
    ) -> None:
        asked = dict(lacking)
        self._ask(lambda: self._agent.server.inputs(*self._who, stage, asked), done)

    def forget(self, stage: int, /) -> None:
        states = self._agent.machine.disk.states
        for path in [path for path in states if path.startswith(_folder(stage))]:
            del states[path]

    def items(self, stage: int, low: int, high: int, done: Callable[[Mapping[int, object] | None], None], /) -> None:
        self._ask(lambda: dict.fromkeys(range(low, high), 0), done)

    def files(self, stage: int, digest: str, done: Callable[[str | None], None], /) -> None:
        self._ask(lambda: digest, done)

    def forget_files(self, stage: int, /) -> None:
        pass

    def store_files(self, task: Task, files: Sequence[File], done: Callable[[Stored], None], /) -> None:
        self._ask(lambda: True, done)

    def store_states(self, pack: Pack, done: Callable[[bool | None], None], /) -> None:
        found = [(state.task, self._agent.machine.disk.states[state.path] if state.path else None) for state in pack.states]
        kept = [_kept(task, content) for task, content in found]

        def question() -> bool:
            return bool(self._agent.server.keep_states(*self._who, pack.stage, pack.checkpoint or None, kept))

        self._ask(question, done)

    def states(
        self, stage: int, attempt: int, low: int, high: int, done: Callable[[Mapping[int, Sequence[Any]] | None], None], /
    ) -> None:
        disk = self._agent.machine.disk

        def have(found: dict[int, Restored] | None) -> None:
            if found is None:
                done(None)
                return
            paths = {index: f"{_folder(stage)}{index}-{attempt}" for index in found}
            disk.states |= {path: found[index] for index, path in paths.items()}
            done({index: (path, True, -1) for index, path in paths.items()})

        self._ask(lambda: self._agent.server.states(*self._who, stage, low, high), have)

    def abandon(self, task: Task, /) -> None:
        pass

    def store(self, digest: str, path: str, done: Callable[[Stored], None], /) -> None:
        self._ask(lambda: True, done)

    def _ask(self, question: Callable[[], T], done: Callable[[T | None], None]) -> None:
        agent, session = self._agent, self._agent.session

        def attempt() -> None:
            agent.network.ask(agent.name, question, lambda answer: agent.run(lambda: take(answer), session))

        def take(answer: Answer[T]) -> None:
            try:
                value = answer.get()
            except SessionEnded:
                return
            except Refused:
                value = None
            except Unreachable:
                agent.machine.timeline.after(AGAIN, lambda: agent.run(attempt, session))
                return
            if session:
                session.machine.at(agent.machine.monotonic)
                done(value)
                session.turn_in(0.001)

        attempt()


def _folder(stage: int) -> str:
    return f"inputs/{stage}/"


def _kept(task: Task, content: Snapshot | Restored | None) -> StateRecord:
    """Return a state as it is told to the server; one that a task went on from is its own again."""
    _, attempt, index = task
    snapshot = content.snapshot if isinstance(content, Restored) else content
    return StateRecord(index, attempt, -1 if snapshot is None else 10, snapshot)
