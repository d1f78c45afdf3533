"""Machines: what agents and their workers run on. No worker outlives its guardian's patience."""

from collections.abc import Callable
from random import Random

from switchyard.agent.core.entries import Entry
from switchyard.simulation.disks import Disk
from switchyard.simulation.fates import Fates
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline
from switchyard.simulation.truth import Truth
from switchyard.simulation.workers import Process


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
        self._story = story
        #: When the machine was started, by this simulation's time.
        self._origin = random.uniform(1, 1e5)
        self._numbers = 0
        self._deadline = float("inf")
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

    def extend(self, deadline: float) -> None:
        """Have the guardian wait until then, on the machine's clock, for the agent to write again."""
        self._deadline = deadline
        if deadline <= self.monotonic:
            self._guard()
        elif not self._watching:
            self._watching = True
            self.timeline.at(deadline - self._origin, self._guard)

    def clear(self) -> None:
        """Remove what only a predecessor of the agent needed."""
        self.workers = {number: process for number, process in self.workers.items() if not process.dead}
        self.disk.pages = {number: page for number, page in self.disk.pages.items() if number in self.workers}

    def end_all(self) -> None:
        """End all workers: their agent is gone, or cut off for too long."""
        for process in list(self.workers.values()):
            process.die(-9)

    def _guard(self) -> None:
        self._watching = False
        if self.monotonic < self._deadline - 1e-6:
            self.extend(self._deadline)
        elif any(not process.dead for process in self.workers.values()):
            self.note("the guardian ends all workers")
            self.end_all()
