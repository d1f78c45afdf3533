"""The agent's list: stages and entries as it knows them, and which of them may start."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.messages import Launch
from agent.stages import Stage
from scheduling.indexes import IndexSet

#: Stages without entries that are remembered, the last described: the server tells of a stage once.
REMEMBERED = 1024

Inputs = dict[int, list[str | None]]
Tasks = tuple[int, int, IndexSet]


@dataclass(slots=True)
class Entry:
    """A run of alike tasks on the list; `pending` have not been handed to a worker, `open` have yet to end before."""

    number: int
    stage: Stage
    attempt: int
    pending: IndexSet
    demand: dict[str, int]
    key: tuple[Any, ...]
    devices: str | None
    open: dict[int, IndexSet]
    arrived: float

    @property
    def waiting(self) -> int:
        return len(self.pending)

    @property
    def startable(self) -> bool:
        return not self.open and not self.stage.wanted

    @property
    def only_after(self) -> int | None:
        """Return the one stage that it waits for, if it is a single task and nothing else is in its way."""
        if len(self.open) != 1 or self.waiting != 1 or self.stage.wanted:
            return None
        return next(iter(self.open))


class Entries:
    """The list in its order, and the stages that it names."""

    def __init__(self, *, gpus: bool, numbers: IndexSet) -> None:
        self.stages: dict[int, Stage] = {}
        self.entries: list[Entry] = []
        #: Stages that are given the results of a stage here.
        self.followers: dict[int, list[Stage]] = {}
        #: The numbers of all entries that were ever launched.
        self.numbers = numbers
        self._gpus = gpus

    def learn(self, id_: int, described: Mapping[str, Any]) -> Stage | None:
        """Note a stage and return it; what is known already takes items and results alone, and None is returned."""
        stage = self.stages.get(id_)
        if stage is None:
            stage = self.stages[id_] = Stage(id_, described)
            for producer in stage.known:
                self.followers.setdefault(producer, []).append(stage)
            return stage
        stage.give_items(described.get("items") or {})
        for item in described["inputs"]:
            self.ended(item["stage"], item["known"], only=stage)
            stage.skip(item["stage"], IndexSet.of(item.get("skipped", ())))
        return None

    def add(self, launch: Launch, now: float) -> Entry | None:
        """Put an entry on the list and return it; None if it is known already."""
        if launch.entry in self.numbers:
            return None
        self.numbers |= IndexSet.span(launch.entry, launch.entry + 1)
        stage, devices = self.stages[launch.stage], self._devices(launch.demand)
        waits: dict[int, IndexSet] = {}
        for producer, low, high in launch.after:
            waits[producer] = waits.get(producer, IndexSet()) | IndexSet.span(low, high)
        waits = {producer: tasks - stage.known.get(producer, IndexSet()) for producer, tasks in waits.items()}
        entry = Entry(
            number=launch.entry,
            stage=stage,
            attempt=launch.attempt,
            pending=IndexSet.of(launch.ranges),
            demand=launch.demand,
            key=stage.key(devices),
            devices=devices,
            open={producer: tasks for producer, tasks in waits.items() if tasks},
            arrived=now,
        )
        self.entries.append(entry)
        return entry

    def ended(self, stage: int, results: Iterable[tuple[int, str | None]], *, only: Stage | None = None) -> None:
        """Give results of a stage to those that need them, and open what waited for them."""
        results = list(results)
        indexes = IndexSet.from_indexes(index for index, text in results if text is not None)
        followers = [only] if only else self.followers.get(stage, [])
        for follower in followers:
            follower.give(stage, results)
        for entry in self.entries:
            if stage in entry.open and entry.stage in followers:
                left = entry.open.pop(stage) - indexes
                if left:
                    entry.open[stage] = left

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

    def take_dependents(self, stage: int) -> list[Tasks]:
        """Take everything off the list that waits, however indirectly, for a stage that will not give its results."""
        taken, lost = [], {stage}
        for entry in self.entries:
            if lost & entry.open.keys():
                lost.add(entry.stage.id)
                taken.append((entry.stage.id, entry.attempt, entry.pending))
                entry.pending = IndexSet()
        self.prune()
        return taken

    def restore(self, entry: Entry, indexes: Iterable[int]) -> None:
        """Put tasks back that a worker has not begun."""
        if not any(known is entry for known in self.entries):
            known = entry.stage.known
            entry.open = {id_: left for id_, tasks in entry.open.items() if (left := tasks - known.get(id_, IndexSet()))}
            self.entries.append(entry)
            self.entries.sort(key=lambda entry: entry.number)
        entry.pending |= IndexSet.from_indexes(indexes)

    def prune(self) -> None:
        """Drop entries of which nothing is pending."""
        self.entries = [entry for entry in self.entries if entry.pending]

    def forget(self, busy: set[int]) -> list[Stage]:
        """Forget the stages that were described long ago and have nothing here; return them."""
        if len(self.stages) <= 2 * REMEMBERED:
            return []
        needed = busy | {entry.stage.id for entry in self.entries}
        old = [stage for id_, stage in list(self.stages.items())[:-REMEMBERED] if id_ not in needed]
        for stage in old:
            del self.stages[stage.id]
            for producer in stage.known:
                self.followers[producer].remove(stage)
                if not self.followers[producer]:
                    del self.followers[producer]
        return old

    def _devices(self, demand: Mapping[str, int]) -> str | None:
        """Return the GPU devices that a task may see; None on a machine that has none."""
        if not self._gpus:
            return None
        return ",".join(sorted((name[3:] for name in demand if name[:3] == "gpu" and name[3:].isdigit()), key=int))


def _may_go(stage: Stage, before: float) -> bool:
    return before == float("inf") or not stage.wanted or stage.unreachable
