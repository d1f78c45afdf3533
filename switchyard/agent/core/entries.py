"""The agent's list: its stages and entries, and the entries that may start."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from switchyard.agent.core.stages import Stage
from switchyard.messaging.messages import Launch
from switchyard.scheduling.indexes import IndexSet

#: Stages without entries that are remembered, the last described: the server tells of a stage once.
REMEMBERED = 1024
#: Of these, stages that are remembered with a long description.
LONG = 16

#: Seconds for which the files of other stages are kept for one that has nothing here.
KEEP_FILES = 10.0

Tasks = tuple[int, int, IndexSet]


@dataclass(slots=True)
class Entry:
    """A run of alike tasks on the list; `pending` have not been handed to a worker, `pause` is that of its launch.

    `open` is what they need and is not known here, by producer; of these, `local` tasks are on the list before them or
    were, so that their results come from here. `asked` says whether the server was asked for the others.
    """

    number: int
    stage: Stage
    attempt: int
    pending: IndexSet
    demand: dict[str, int]
    key: tuple[Any, ...]
    devices: str | None
    open: dict[int, IndexSet]
    local: dict[int, IndexSet]
    arrived: float
    pause: int
    asked: bool = False

    @property
    def remote(self) -> dict[int, IndexSet]:
        """What the server has to be asked for, by producer."""
        found = {producer: tasks - self.local.get(producer, IndexSet()) for producer, tasks in self.open.items()}
        return {producer: tasks for producer, tasks in found.items() if tasks}

    def look(self) -> None:
        """Find out anew what is open."""
        self.open = self.stage.lacks(self.pending)

    @property
    def waiting(self) -> int:
        return len(self.pending)

    @property
    def startable(self) -> bool:
        return not self.open and not self.stage.wanted and self.stage.is_built

    @property
    def only_after(self) -> int | None:
        """Return the one stage that it waits for, if it is a single task and nothing else is in its way."""
        stage = self.stage
        if len(self.open) != 1 or self.waiting != 1 or stage.wanted or stage.needs_files or not stage.is_built:
            return None
        return next(iter(self.open))


class Entries:
    """The list in its order, and the stages that it names."""

    def __init__(self, *, gpus: bool, numbers: IndexSet) -> None:
        self.stages: dict[int, Stage] = {}
        self.entries: list[Entry] = []
        #: Stages that are given the results of a stage here as they come.
        self.followers: dict[int, list[Stage]] = {}
        #: The numbers of all entries that were ever launched.
        self.numbers = numbers
        self._gpus = gpus
        #: Stages that are handed on files of others, and until when these are kept though nothing of the stage is here.
        self._with_files: dict[int, float] = {}
        #: Stages whose long description was fetched.
        self._long: list[Stage] = []

    def learn(self, id_: int, described: Mapping[str, Any]) -> Stage | None:
        """Note a stage and return it; what is known already takes items and results alone, and None is returned."""
        stage = self.stages.get(id_)
        if stage is None:
            stage = self.stages[id_] = Stage(id_, described)
            self._follow(stage)
            return stage
        if stage.left_out:
            return None
        stage.give_items(described.get("items") or {})
        for item in described["inputs"]:
            self.take_inputs(stage, item["stage"], item)
        return None

    def complete(self, stage: Stage, described: Mapping[str, Any]) -> None:
        """Take the description of a stage that was left out before."""
        stage.complete(described)
        self._follow(stage)
        self._long.append(stage)
        self._rekey(stage)

    def renew(self, stage: Stage, now: float) -> None:
        """Take that the environment of a stage is there, or is not to be had."""
        self._rekey(stage)
        self.refresh(stage, now)

    def _rekey(self, stage: Stage) -> None:
        for entry in self.entries:
            if entry.stage is stage:
                entry.key = stage.key(entry.devices)

    def add(self, launch: Launch, now: float, here: Mapping[int, IndexSet]) -> Entry:
        """Put a new entry on the list and return it.

        `here` are the tasks that it comes after and that have yet to end here, by stage.
        """
        self.numbers |= IndexSet.span(launch.entry, launch.entry + 1)
        stage, devices = self.stages[launch.stage], self._devices(launch.demand)
        pending = IndexSet.of(launch.ranges)
        entry = Entry(
            number=launch.entry,
            stage=stage,
            attempt=launch.attempt,
            pending=pending,
            demand=launch.demand,
            key=stage.key(devices),
            devices=devices,
            open=stage.lacks(pending),
            local=dict(here),
            arrived=now,
            pause=launch.pause,
        )
        self.entries.append(entry)
        if stage.id in self._with_files:
            self._with_files[stage.id] = now + KEEP_FILES
        return entry

    def ended(self, stage: int, results: Iterable[tuple[int, str]]) -> None:
        """Give results that were made here to the stages that need them, and open what waited for them."""
        results = list(results)
        indexes = IndexSet.from_indexes(index for index, _ in results)
        followers = self.followers.get(stage, [])
        for follower in followers:
            follower.give(stage, results)
        self._open(stage, indexes, followers)

    def _follow(self, stage: Stage) -> None:
        if stage.needs_files:
            self._with_files[stage.id] = float("inf")
        for producer in _sources(stage):
            followers = self.followers.setdefault(producer, [])
            if not any(known is stage for known in followers):
                followers.append(stage)

    def refresh(self, stage: Stage, now: float) -> None:
        """Count from now how long entries of a stage have waited: it was not for others."""
        for entry in self.entries:
            if entry.stage is stage:
                entry.arrived = now

    def take_inputs(self, stage: Stage, producer: int, outcomes: Mapping[str, Any]) -> None:
        """Give a stage what the server says of one that it needs, and open what waited for that."""
        stage.take(producer, outcomes)
        self._open(producer, stage.known[producer], [stage])

    def _open(self, producer: int, known: IndexSet, stages: list[Stage]) -> None:
        for entry in self.entries:
            if producer in entry.open and entry.stage in stages:
                left = entry.open.pop(producer) - known
                if left:
                    entry.open[producer] = left

    def take(self, stage: int, attempt: int, wanted: IndexSet) -> IndexSet:
        """Take tasks off the list that have not been handed to a worker; return which."""
        taken = IndexSet()
        for entry in self.entries:
            if entry.stage.id == stage and entry.attempt == attempt and (common := entry.pending & wanted):
                entry.pending -= common
                taken |= common
        self.prune()
        return taken

    def take_all(self, *, before: float = float("inf")) -> list[Tasks]:
        """Take everything off the list that arrived before a time and waits for nothing to be fetched."""
        taken = []
        for entry in self.entries:
            if entry.arrived < before and _may_go(entry.stage, before):
                taken.append((entry.stage.id, entry.attempt, entry.pending))
                entry.pending = IndexSet()
        self.prune()
        return taken

    def take_paused(self, pause: int) -> list[Tasks]:
        """Take everything off the list that was launched before a pause."""
        early = [entry for entry in self.entries if entry.pause < pause]
        taken = [(entry.stage.id, entry.attempt, entry.pending) for entry in early]
        for entry in early:
            entry.pending = IndexSet()
        if early:
            self.prune()
        return taken

    def take_dependents(self, stage: int, index: int) -> list[Tasks]:
        """Take everything off the list that waits here, however indirectly, for a task that will not give its result."""
        taken: list[Tasks] = []
        lost = {stage: IndexSet.span(index, index + 1)}
        for entry in self.entries:
            if any(lost.get(producer, IndexSet()) & tasks for producer, tasks in entry.open.items()):
                lost[entry.stage.id] = lost.get(entry.stage.id, IndexSet()) | entry.pending
                taken.append((entry.stage.id, entry.attempt, entry.pending))
                entry.pending = IndexSet()
        self.prune()
        return taken

    def restore(self, entry: Entry, indexes: Iterable[int]) -> None:
        """Put tasks back that a worker has not begun."""
        if not any(known is entry for known in self.entries):
            self.entries.append(entry)
            self.entries.sort(key=lambda entry: entry.number)
        entry.pending |= IndexSet.from_indexes(indexes)
        entry.key = entry.stage.key(entry.devices)
        entry.look()

    def prune(self) -> None:
        """Drop entries of which nothing is pending."""
        self.entries = [entry for entry in self.entries if entry.pending]

    def forget(self, busy: set[int]) -> list[Stage]:
        """Forget the stages that were described long ago and have nothing here; return them."""
        if len(self.stages) <= 2 * REMEMBERED and len(self._long) <= LONG:
            return []
        needed = busy | {entry.stage.id for entry in self.entries}
        self._shorten(needed)
        if len(self.stages) <= 2 * REMEMBERED:
            return []
        old = [stage for id_, stage in list(self.stages.items())[:-REMEMBERED] if id_ not in needed]
        for stage in old:
            del self.stages[stage.id]
            self._with_files.pop(stage.id, None)
            for producer in _sources(stage):
                self.followers[producer].remove(stage)
                if not self.followers[producer]:
                    del self.followers[producer]
        return old

    def release_files(self, busy: set[int], now: float) -> list[Stage]:
        """Give up the files that are handed on to stages which have had nothing here for a while; return these stages."""
        needed = busy | {entry.stage.id for entry in self.entries} if self._with_files else busy
        released = []
        for id_, until in list(self._with_files.items()):
            stage = self.stages[id_]
            if id_ in needed or stage.asking:
                self._with_files[id_] = now + KEEP_FILES
            elif until <= now:
                self._with_files[id_] = float("inf")
                stage.give_up_files()
                released.append(stage)
        return released

    def _shorten(self, needed: set[int]) -> None:
        """Drop long descriptions of stages that have nothing here, but for the last."""
        for stage in self._long[:-LONG]:
            if stage.id not in needed and not stage.wanted:
                stage.shorten()
        self._long = [stage for stage in self._long if not stage.left_out]

    def _devices(self, demand: Mapping[str, int]) -> str | None:
        """Return the GPU devices that a task may see; None on a machine that has none."""
        if not self._gpus:
            return None
        return ",".join(sorted((name[3:] for name in demand if name[:3] == "gpu" and name[3:].isdigit()), key=int))


def _sources(stage: Stage) -> list[int]:
    """Return the stages whose results it may take as they end here.

    Of a gang none counts before the gang is whole. Those that hand on files are asked for at the server, with their files.
    """
    return [item["stage"] for item in stage.described["inputs"] if not (item.get("gang") or item.get("files"))]


def _may_go(stage: Stage, before: float) -> bool:
    return before == float("inf") or not (stage.wanted or stage.asking or stage.building) or bool(stage.refused)
