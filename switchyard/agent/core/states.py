"""States of running tasks: taken from their workers, stored at the server, and asked for where a checkpoint wants them.

Each is stored for its own sake, at most once a second, of one task the last alone; and with each checkpoint that asks for it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from switchyard.agent.core.moment import Moment
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.ports import Fetcher, Logger, Output
from switchyard.agent.core.records import LAST, Saved
from switchyard.agent.core.workers import Task, Worker
from switchyard.scheduling.indexes import IndexSet

#: Seconds between states of a stage that no checkpoint asks for.
EVERY = 1.0
#: Checkpoints that a task has answered which are remembered: more are never in progress.
REMEMBERED = 32


@dataclass(slots=True)
class State:
    """A state of a task: where its bytes are, and what was said of it; `path` is empty for a task that has saved none."""

    task: Task
    path: str
    saved: Saved
    #: How many uploads it is part of.
    used: int = 0
    stored: bool = False


@dataclass(slots=True)
class Pack:
    """States of one stage that are stored together, for one checkpoint or (0) for none."""

    stage: int
    checkpoint: int
    states: list[State]


NOTHING = Saved(0, 0, 0, 0, -1, 0, 0, 0)


class States:
    """Knows the last state of each running task."""

    def __init__(self, *, floor: Floor, fetcher: Fetcher, output: Output, log: Logger, moment: Moment) -> None:
        self._floor = floor
        self._fetcher = fetcher
        self._output = output
        self._log = log
        self._moment = moment
        self._last: dict[Task, State] = {}
        #: By stage and checkpoint, what is to be stored next.
        self._next: dict[tuple[int, int], dict[Task, State]] = {}
        #: The stages of which states are on their way: one pack after the other, so that none arrives after a later one.
        self._flying: set[int] = set()
        self._sent: dict[int, float] = {}
        #: The checkpoints that each running task was asked for and has not answered, and the last that it has.
        self._open: dict[Task, set[int]] = {}
        self._answered: dict[Task, deque[int]] = {}
        #: What is called when the last state of a task is stored, or cannot be.
        self._waiting: dict[Task, Callable[[], None]] = {}

    def ask(self, stage: int, attempt: int, wanted: IndexSet, checkpoint: int) -> None:
        """Have running tasks saved for a checkpoint: by themselves if they answer, else as they were saved last."""
        for worker in list(self._floor.busy.values()):
            status = worker.status()
            if status.claimed <= worker.ended or (status.stage, status.attempt) != (stage, attempt):
                continue
            known = (self._open.get(status.task, ()), self._answered.get(status.task, ()))
            if status.index in wanted and not any(checkpoint in each for each in known):
                self._ask(worker, status.task, status.claimed, checkpoint)

    def finish(self, worker: Worker) -> bool:
        """Ask the running task of a worker for its last state; return whether it answers, and then ends by itself."""
        status = worker.status()
        if worker.expected() != status.claimed:
            return False
        self._ask(worker, status.task, status.claimed, LAST)
        return True

    def look(self, worker: Worker) -> None:
        """Take what the task of a worker has saved since the last look."""
        saved = worker.saved()
        if saved is None or saved.number <= worker.saved_number:
            return
        status = worker.status()
        if saved.claimed != status.claimed:
            return
        path = worker.take_state(saved.number)
        if path is None:
            return  # It has just saved another.
        worker.saved_number = saved.number
        self._keep(State(status.task, path, saved))

    def flush(self, now: float) -> None:
        """Store what is due, and forget tasks that do not run any more."""
        # First the answers to checkpoints: what a task has saved for its own sake may be later.
        for stage, checkpoint in sorted(self._next, key=lambda key: key[1] or LAST):
            if stage in self._flying:
                continue
            urgent = checkpoint or any(task in self._waiting for task in self._next[stage, checkpoint])
            if urgent or now - self._sent.get(stage, 0.0) >= EVERY:
                self._send(Pack(stage, checkpoint, list(self._next.pop((stage, checkpoint)).values())), now)
        if self._last or self._open or self._answered:
            self._forget()

    def ended(self, worker: Worker, task: Task, done: Callable[[], None]) -> bool:
        """Take the last state of a task that did not finish; return whether it must be stored first.

        `done` is called when it is, or cannot be.
        """
        self.look(worker)
        state = self._last.get(task)
        if state is None or state.stored:
            return False
        self._waiting[task] = done
        self.flush(self._moment.now)
        return True

    def _ask(self, worker: Worker, task: Task, claimed: int, checkpoint: int) -> None:
        self._open.setdefault(task, set()).add(checkpoint)
        if worker.expected() == claimed:
            worker.ask(claimed, checkpoint)
        elif checkpoint != LAST:
            self.look(worker)
            self._answer(self._last.get(task) or _restored(task, worker))

    def _keep(self, state: State) -> None:
        task, before = state.task, self._last.get(state.task)
        self._last[task] = state
        self._next.setdefault((task[0], 0), {})[task] = state
        if before:
            self._release(before)
        if state.saved.checkpoint in self._open.get(task, ()):
            self._answer(state)

    def _answer(self, state: State) -> None:
        """Take a state as the answer to all checkpoints that have asked for one."""
        asked = self._open.pop(state.task)
        self._answered.setdefault(state.task, deque(maxlen=REMEMBERED)).extend(asked)
        for checkpoint in asked - {LAST}:
            # Beside its own upload: what a checkpoint keeps goes if that fails.
            self._next.setdefault((state.task[0], checkpoint), {})[state.task] = state

    def _send(self, pack: Pack, now: float) -> None:
        self._flying.add(pack.stage)
        if not pack.checkpoint:
            self._sent[pack.stage] = now
        for state in pack.states:
            state.used += 1

        def done(stored: object) -> None:
            self._flying.discard(pack.stage)
            if not stored:
                self._log.warning("states of tasks are not stored", stage=pack.stage, checkpoint=pack.checkpoint)
            for state in pack.states:
                state.used -= 1
                if not pack.checkpoint:
                    self._stored(state)
                self._release(state)
            self.flush(self._moment.now)

        self._fetcher.store_states(pack, done)

    def _stored(self, state: State) -> None:
        state.stored = True
        if self._last.get(state.task) is state and (call := self._waiting.pop(state.task, None)):
            call()

    def _forget(self) -> None:
        running = {worker.status().task for worker in self._floor.busy.values()} | self._waiting.keys()
        for task in [task for task in self._last if task not in running]:
            state = self._last.pop(task)
            loose = self._next.get((task[0], 0), {})
            loose.pop(task, None)
            if not loose:
                self._next.pop((task[0], 0), None)
            self._release(state)
        for task in (self._open.keys() | self._answered.keys()) - running:
            self._open.pop(task, None)
            self._answered.pop(task, None)

    def _release(self, state: State) -> None:
        """Remove the bytes of a state that nothing needs any more; others may go on from one that was restored."""
        wanted = self._last.get(state.task) is state or any(each.get(state.task) is state for each in self._next.values())
        if state.path and state.saved.number and not state.used and not wanted:
            self._output.discard(state.path)


def _restored(task: Task, worker: Worker) -> State:
    """Return as the state of a task that has saved none the one that it went on from."""
    kept = worker.handed[0].entry.stage.restored.get(task[2])
    if kept is None:
        return State(task, "", NOTHING)
    path, is_json, length = kept
    return State(task, path, Saved(0, 0, 0, 0, length, int(is_json), 0, 0))
