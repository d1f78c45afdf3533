"""What really runs, on all machines: what neither the leader nor an agent knows for certain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from switchyard.simulation.broken import Broken
from switchyard.simulation.timeline import Timeline

#: A task: its stage and index.
Task = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state as a task saves it: whose it is, and how many steps its task has taken by then in all its attempts."""

    stage: int
    index: int
    attempt: int
    steps: int

    def is_later_than(self, other: "Snapshot | None") -> bool:
        return other is None or (self.attempt, self.steps) > (other.attempt, other.steps)


@dataclass(frozen=True, slots=True)
class Restored:
    """A state that a task goes on from, the checkpoint that it is of, and the last state that it had to be then."""

    snapshot: Snapshot
    checkpoint: int | None
    least: Snapshot | None


@dataclass(frozen=True, slots=True)
class Execution:
    """An attempt that runs on a machine."""

    machine: str
    stage: int
    attempt: int
    index: int
    demand: Mapping[str, int]
    began: float
    restored: Restored | None = None


class Truth:
    """All executions: which run now, and the highest attempt that ever began of each task."""

    def __init__(self, timeline: Timeline, begun: Callable[[Execution], None]) -> None:
        self.finished: set[Task] = set()
        #: Until when attempts may run twice, as the records have forgotten what they told agents.
        self.forgiven_until = 0.0
        self._timeline = timeline
        self._begun = begun
        self._running: dict[Task, list[Execution]] = {}
        self._highest: dict[Task, int] = {}

    def begin(self, execution: Execution, totals: Mapping[str, int]) -> None:
        """Note that an attempt runs; raise Broken where another of its task does, or the machine has no room for it."""
        task = execution.stage, execution.index
        others = self._running.setdefault(task, [])
        if others and not self.forgives:
            raise Broken("I4", f"{execution} runs while {others[0]} does")
        if execution.attempt < self._highest.get(task, 0) and not self.forgives:
            raise Broken("I3", f"{execution} runs after attempt {self._highest[task]}")
        if not self.forgives:
            self._highest[task] = execution.attempt
        others.append(execution)
        for name, total in totals.items():
            used = sum(each.demand.get(name, 0) for each in self.on(execution.machine))
            if used > total:
                raise Broken("I5", f"{execution.machine} runs {used} of {total} {name}")
        if not self.forgives:
            self._begun(execution)

    def forget(self, seconds: float) -> None:
        """Forgive for a while, as the records fell back: numbers of attempts are given again."""
        self.forgiven_until = self._timeline.now + seconds
        self._highest.clear()

    @property
    def forgives(self) -> bool:
        """Whether the records have forgotten something of late that agents still know."""
        return self._timeline.now < self.forgiven_until

    def end(self, execution: Execution, *, finished: bool = False) -> None:
        """Note that it runs no more, and whether it has given its result."""
        task = execution.stage, execution.index
        if finished:
            self.finished.add(task)
        self._running[task].remove(execution)
        if not self._running[task]:
            del self._running[task]

    def on(self, machine: str) -> list[Execution]:
        """Return what runs on a machine."""
        return [each for running in self._running.values() for each in running if each.machine == machine]

    def of(self, stage: int) -> list[Execution]:
        """Return what runs of a stage."""
        return [each for running in self._running.values() for each in running if each.stage == stage]

    @property
    def running(self) -> list[Execution]:
        """All that runs."""
        return [each for running in self._running.values() for each in running]
