"""Machines: what agents and their workers run on. No worker outlives its guardian's patience."""

from collections.abc import Callable
from random import Random

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.fencing import Fence
from switchyard.simulation.disks import Disk
from switchyard.simulation.fates import Fates
from switchyard.simulation.memory.worker import KILL
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline
from switchyard.simulation.truth import Truth
from switchyard.simulation.workers import Process

FENCE = Fence()
#: Seconds between looks of guardians at the clock.
LOOK = 1.0


class Machine:
    """One machine, with a disk, a clock of its own and the workers of its agent."""

    def __init__(
        self, name: str, totals: dict[str, int], timeline: Timeline, story: Story, truth: Truth, fates: Fates, random: Random
    ) -> None:
        self.name = name
        self.totals = totals
        self.timeline = timeline
        self.truth = truth
        self.fates = fates
        self.disk = Disk()
        self.workers: dict[int, Process] = {}
        #: Called when a worker has something to say.
        self.heard: Callable[[], None] = lambda: None
        #: Called by a task that takes its agent down.
        self.kill_agent: Callable[[], None] = lambda: None
        self._story = story
        #: When the machine was started, by this simulation's time.
        self._origin = random.uniform(1, 1e5)
        self._numbers = 0
        self._heard = float("inf")
        self._watching = False

    @property
    def monotonic(self) -> float:
        """Seconds of the machine's own clock, which nobody sets."""
        return self._origin + self.timeline.now

    @property
    def microseconds(self) -> int:
        return round(self.monotonic * 1e6)

    def note(self, what: str) -> None:
        """Note in the story."""
        self._story.note(self.name, what)

    def start(self, entry: Entry) -> Process:
        """Start a worker. Raises OSError if the disk is full."""
        self.disk.require_space()
        self._numbers += 1
        process = self.workers[self._numbers] = Process(self, self._numbers, entry)
        return process

    def extend(self, heard: float) -> None:
        """Have the guardians wait: the agent was heard then, on the machine's clock."""
        self._heard = heard
        if heard == float("-inf"):
            self._guard()
        elif not self._watching:
            self._watch()

    def clear(self) -> None:
        """Remove what only a predecessor of the agent needed."""
        self.workers = {number: process for number, process in self.workers.items() if process.dead is None}
        self.disk.pages = {number: page for number, page in self.disk.pages.items() if number in self.workers}
        self.disk.states.clear()

    def end_all(self) -> None:
        """End all workers: their agent is gone, or cut off for too long."""
        for process in list(self.workers.values()):
            process.die(KILL)

    def _watch(self) -> None:
        self._watching = True
        self.timeline.after(LOOK, self._guard)

    def _guard(self) -> None:
        """End the workers that have outlived the patience of their jobs with a silent server."""
        self._watching = False
        late = [process for process in self.workers.values() if process.dead is None and self._is_late(process)]
        if late:
            self.note(f"guardians end workers {[process.number for process in late]}")
        for process in late:
            process.die(KILL)
        if any(process.dead is None for process in self.workers.values()):
            self._watch()

    def _is_late(self, process: Process) -> bool:
        return self.monotonic >= self._heard + FENCE.kill_after(process.patience)
