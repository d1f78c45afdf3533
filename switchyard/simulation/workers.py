"""Workers: processes that run the tasks handed to them, one after the other, as fate has it."""

import json
from typing import TYPE_CHECKING

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.records import LAST
from switchyard.simulation.fates import End, Fate
from switchyard.simulation.memory.worker import KILL, Item, MemoryWorker
from switchyard.simulation.truth import Execution, Restored, Snapshot

if TYPE_CHECKING:
    from switchyard.simulation.machines import Machine

#: Seconds until a process is there, until it claims what it was sent, and until it obeys TERM.
BIRTH, CLAIM, OBEYS = 0.03, 0.0005, 0.05
SEGFAULT = -11
#: Seconds between steps of a task that has a state, and for which such a task works on.
STEP, LONGER = 0.4, 2.0
#: Calls of tasks that save their state after each step, and that do so where a checkpoint asks for it.
SAVING, ANSWERING = "work:save", "work:answer"


class Process(MemoryWorker):
    """A worker. Its tasks run on while the agent sleeps, but never longer than its guardian allows."""

    def __init__(self, machine: "Machine", number: int, entry: Entry) -> None:
        super().__init__(number, entry.key, entry.stage.patience, lambda _, item: self._run(item))
        self._machine = machine
        self._demand = dict(entry.demand)
        self._task: tuple[Execution, Fate] | None = None
        #: Steps of the task that runs, and the state that the agent has not taken yet.
        self._steps = 0
        self._untaken: Snapshot | None = None
        machine.timeline.after(BIRTH, self._be_born)

    def send_description(self, stage: int, version: int, line: bytes) -> None:
        self._machine.disk.require_space()
        super().send_description(stage, version, line)

    def send(self, stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> None:
        super().send(stage, attempt, indexes, version, ahead=ahead)
        if self.running:
            self._demand = dict(self.running.demand)
        self._machine.timeline.after(CLAIM, self._claim)

    def result(self, item: Item) -> str:
        return json.dumps(list(range(item.index % 4)))

    def terminate(self) -> bool:
        if self._task and self._task[1].obeys:
            execution = self._task[0]
            self._machine.timeline.after(OBEYS, lambda: self._end(execution, End.FAILS))
        return bool(self.pid)

    def kill(self) -> bool:
        self.clear()
        return bool(self.pid)

    def clear(self) -> None:
        if self.pid:
            self.die(KILL)

    def take_state(self, number: int) -> str | None:
        path, untaken = super().take_state(number), self._untaken
        if path is None or untaken is None:
            return None
        self._machine.disk.states[path], self._untaken = untaken, None
        return path

    def dismiss(self) -> None:
        super().dismiss()
        self._machine.timeline.after(CLAIM, self._claim)

    def die(self, status: int) -> None:
        """End the process, with the task that it runs."""
        if self.dead is not None:
            return
        super().die(status)
        if self._task:
            self._machine.note(f"worker {self.number} dies in {_named(self._task[0])}")
            self._machine.truth.end(self._task[0])
            self._task = None
        self._machine.heard()

    def _be_born(self) -> None:
        if self.dead is None:
            self.pid = 1000 + self.number
            self._machine.heard()
            self._claim()

    def _claim(self) -> None:
        """Begin the next task, if there is one and nothing runs."""
        while self.pid and self.is_free and self.pipe:
            self.read()
            self.begin(self._machine.monotonic)
            self._machine.disk.pages[self.number] = self.status()
            if self.lines:
                self._machine.heard()
        if self.dismissed and self.is_free and not self.pipe:
            self.die(0)

    def _run(self, item: Item) -> None:
        machine = self._machine
        stage = self.stages[item.stage]
        path = stage.restored.get(item.index)
        restored = machine.disk.states[path] if path else None
        assert restored is None or isinstance(restored, Restored)
        execution = Execution(machine.name, *item.task, self._demand, machine.timeline.now, restored)
        fate = machine.fates.of(*item.task)
        self._task = execution, fate
        from_state = f" from {restored.snapshot.steps} steps" if restored else ""
        machine.note(
            f"worker {self.number} begins {_named(execution)}{from_state}, which {fate.end} after {fate.seconds:.3f} s"
        )
        machine.truth.begin(execution, machine.totals)
        seconds = fate.seconds
        if stage.call in (SAVING, ANSWERING):
            seconds += LONGER
            self._steps, self.asked = restored.snapshot.steps if restored else 0, 0
            self.answering = self.status().claimed if stage.call == ANSWERING else 0
            machine.timeline.after(STEP, lambda: self._step(execution, 0))
        machine.timeline.after(seconds, lambda: self._end(execution, fate.end))

    def _step(self, execution: Execution, answered: int) -> None:
        """Take a step, and save the state if that is due."""
        if self.dead is not None or not self._task or self._task[0] is not execution:
            return
        self._steps += 1
        if (not self.answering or self.asked != answered) and not self._machine.disk.full:
            self._untaken = Snapshot(execution.stage, execution.index, execution.attempt, self._steps)
            self.save(self._machine.monotonic, self.asked)
            answered = self.asked
            if answered == LAST:
                self._end(execution, End.FAILS)
                return
        self._machine.timeline.after(STEP, lambda: self._step(execution, answered))

    def _end(self, execution: Execution, how: End) -> None:
        if self.dead is not None or not self._task or self._task[0] is not execution:
            return
        if how is End.DIES:
            self.die(SEGFAULT)
            return
        if how is End.KILLS_AGENT:
            self._machine.kill_agent()
            return
        self._task = None
        self._machine.note(f"worker {self.number} ends {_named(execution)}: {how}")
        self._machine.truth.end(execution, finished=how is End.FINISHES)
        if how is End.FINISHES:
            self.end_task(self._machine.monotonic)
        else:
            kind = "unloadable" if how is End.UNLOADABLE else "user_error"
            self.end_task(self._machine.monotonic, exceptions=["work.Error"], error=str(how), **{"class": kind})
        self._machine.heard()
        self._claim()


def _named(execution: Execution) -> str:
    return f"{execution.stage}[{execution.index}] attempt {execution.attempt}"
