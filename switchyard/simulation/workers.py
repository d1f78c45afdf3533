"""Workers: processes that run the tasks handed to them, one after the other, as fate has it."""

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.records import Death, Status
from switchyard.agent.core.workers import Worker
from switchyard.simulation.fates import End, Fate
from switchyard.simulation.truth import Execution

if TYPE_CHECKING:
    from switchyard.simulation.machines import Machine

NOTHING = Status(0, 0, 0, 0, 0, 0, 0, 0)
#: Seconds until a process is there, until it claims what it was sent, and until it obeys TERM.
BIRTH, CLAIM, OBEYS = 0.03, 0.0005, 0.05
KILLED, SEGFAULT = -9, -11


class Process(Worker):
    """A worker. Its tasks run on while the agent sleeps, but never longer than its guardian allows."""

    def __init__(self, machine: "Machine", number: int, entry: Entry) -> None:
        super().__init__(number, entry.key, f"workers/{number}", entry.stage.patience)
        self._machine = machine
        self._demand = dict(entry.demand)
        self._pipe: deque[tuple[int, int, int, bool]] = deque()
        self._status = NOTHING
        self._task: tuple[Execution, Fate] | None = None
        self._known = Known()
        self._dismissed = False
        self.dead = False
        #: What it wrote and nobody has read.
        self.written: list[bytes] = []
        self.death: Death | None = None
        machine.timeline.after(BIRTH, self._be_born)

    def send_description(self, stage: int, version: int, line: bytes) -> None:
        self._machine.disk.require_space()
        self._known.learn(json.loads(line))

    def send(self, stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> None:
        self._pipe.extend((stage, attempt, index, ahead) for index in indexes)
        if self.running:
            self._demand = dict(self.running.demand)
        self._machine.timeline.after(CLAIM, self._claim)

    def withdraw(self) -> int:
        count = len(self._pipe)
        self._pipe.clear()
        return count

    def status(self) -> Status:
        return self._status

    def live(self) -> tuple[int, bytes]:
        return 0, b""

    def resident(self) -> int:
        return 0

    def limit(self, mem: int) -> bool:
        return True

    def ran_out(self, *, killed: bool) -> bool:
        return False

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
            self.die(KILLED)

    def dismiss(self) -> None:
        self._dismissed = True
        self._machine.timeline.after(CLAIM, self._claim)

    def die(self, status: int) -> None:
        """End the process, with the task that it runs."""
        if self.dead:
            return
        self.dead = True
        if self._task:
            self._machine.note(f"worker {self.number} dies in {_named(self._task[0])}")
            self._machine.truth.end(self._task[0])
            self._task = None
        self.death = Death(status, self._status, signal=f"signal {-status}" if status < 0 else "")
        self._machine.heard()

    def _be_born(self) -> None:
        if not self.dead:
            self.pid = 1000 + self.number
            self._machine.heard()
            self._claim()

    def _claim(self) -> None:
        """Begin the next task, if there is one and nothing runs."""
        while self.pid and not self.dead and not self._task and self._pipe:
            stage, attempt, index, ahead = self._pipe.popleft()
            claimed = self._status.claimed + 1
            self._status = Status(claimed, stage, attempt, index, self._machine.microseconds, 0, 0, claimed)
            self._machine.disk.pages[self.number] = self._status
            if ahead and not self._known.has_inputs(stage, index):
                self._write({"skipped": [stage, attempt, index]})
            else:
                self._begin(stage, attempt, index)
        if self._dismissed and not self._task and not self._pipe:
            self.die(0)

    def _begin(self, stage: int, attempt: int, index: int) -> None:
        machine = self._machine
        execution = Execution(machine.name, stage, attempt, index, self._demand, machine.timeline.now)
        fate = machine.fates.of(stage, attempt, index)
        self._task = execution, fate
        machine.note(f"worker {self.number} begins {_named(execution)}, which {fate.end} after {fate.seconds:.3f} s")
        machine.truth.begin(execution, machine.totals)
        machine.timeline.after(fate.seconds, lambda: self._end(execution, fate.end))

    def _end(self, execution: Execution, how: End) -> None:
        if self.dead or not self._task or self._task[0] is not execution:
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
        task: list[Any] = [
            execution.stage,
            execution.attempt,
            execution.index,
            self._status.begun,
            self._machine.microseconds,
        ]
        if how is End.FINISHES:
            result = json.dumps(list(range(execution.index % 4)))
            self._known.made(execution.stage, execution.index)
            self._write([*task, result])
        else:
            named = dict(zip(("stage", "attempt", "index", "begun", "ended"), task, strict=True))
            kind = "unloadable" if how is End.UNLOADABLE else "user_error"
            why = {"class": kind, "exceptions": ["work.Error"], "error": str(how)}
            self._write({**named, **why, "inputs": 0, "outcome": "FAILED"})
        self._claim()

    def _write(self, end: object) -> None:
        self.written.append(json.dumps(end).encode() + b"\n")
        self._machine.heard()


class Known:
    """What one worker knows of stages: their inputs, as far as it was told or has made them."""

    def __init__(self) -> None:
        self._stages: dict[int, dict[str, Any]] = {}
        self._made: dict[int, set[int]] = {}

    def learn(self, told: dict[str, Any]) -> None:
        """Take the description of a stage, or what is new of its inputs."""
        stage = self._stages.setdefault(told["id"], {"inputs": [], "given": set()})
        stage["given"] |= {(name, index) for name, index, _ in told["given"]}
        stage |= {name: told[name] for name in ("inputs", "parallelism") if name in told}

    def made(self, stage: int, index: int) -> None:
        """Note a result that was made here."""
        self._made.setdefault(stage, set()).add(index)

    def has_inputs(self, stage: int, index: int) -> bool:
        """Return whether all results are here that a task needs."""
        told = self._stages[stage]
        return all(
            (name, needed) in told["given"] or needed in self._made.get(producer, ())
            for name, width, exchange, producer in told["inputs"]
            for needed in _needed(index, width, told["parallelism"], exchange)
        )


def _needed(index: int, producers: int, consumers: int, exchange: str) -> range:
    if exchange == "all":
        return range(producers)
    return range(index * producers // consumers, -(-(index + 1) * producers // consumers))


def _named(execution: Execution) -> str:
    return f"{execution.stage}[{execution.index}] attempt {execution.attempt}"
