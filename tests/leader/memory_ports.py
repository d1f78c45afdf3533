"""The surroundings of a leader's core as values: a clock that tests set, what was sent, lists and descriptions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from switchyard.leader.descriptions import Described, Description
from switchyard.leader.ports import Ports
from switchyard.messaging.messages import Command
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import AssignmentRow


@dataclass
class MemoryClock:
    seconds: float = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass
class MemoryOutbox:
    """`queued` are messages that wait, by session, whatever was sent."""

    commands: list[Command] = field(default_factory=list)
    queued: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def send(self, commands: Iterable[Command]) -> None:
        self.commands += commands

    def waiting(self, sessions: Sequence[str]) -> list[int]:
        return [self.queued.get(session, 0) for session in sessions]

    def delete(self, sessions: Collection[str]) -> None:
        self.deleted |= set(sessions)

    def take(self) -> list[Command]:
        """Return what was sent since the last call."""
        taken, self.commands = self.commands, []
        return taken


@dataclass
class MemoryLists:
    rows: list[AssignmentRow] = field(default_factory=list)
    reports: dict[int, int] = field(default_factory=dict)
    successors: set[str] = field(default_factory=set)

    def all(self) -> list[AssignmentRow]:
        return self.rows

    def some(self, ids: Collection[int]) -> list[AssignmentRow]:
        return [row for row in self.rows if row.id in ids]

    def of(self, nodes: Collection[int]) -> list[AssignmentRow]:
        return [row for row in self.rows if row.node in nodes]

    def last_reports(self, nodes: Collection[int]) -> dict[int, int]:
        return {node: self.reports.get(node, 0) for node in nodes}

    def resumed(self, sessions: Collection[str]) -> list[AssignmentRow]:
        return [row for row in self.rows if row.session in sessions and row.session in self.successors]

    def add(self, id_: int, *, node: int = 1, session: str = "one", tasks: int = 2) -> AssignmentRow:
        """Put tasks of a stage of their own on a list."""
        whole = IndexSet.span(0, tasks)
        row = AssignmentRow(id_, node, session, id_, id_, 0, {"cpus": 1000}, [], whole, IndexSet(), IndexSet())
        self.rows.append(row)
        return row


@dataclass
class MemoryDescriptions:
    """Every description takes `size` bytes."""

    size: int = 100

    def ask(self, stages: set[int]) -> Answer[Described]:
        return lambda: self.read(stages)

    def read(self, stages: set[int]) -> Described:
        spec = {"files_digest": None, "foreach": None, "command": ["true"]}
        told = {"job": "j", "name": "s", "parallelism": 2, "spec": spec, "inputs": []}
        return {stage: Description(told, self.size) for stage in stages}


class Surroundings:
    """All ports of one leader."""

    def __init__(self) -> None:
        self.clock, self.outbox = MemoryClock(), MemoryOutbox()
        self.lists, self.descriptions = MemoryLists(), MemoryDescriptions()
        self.ports = Ports(self.clock, self.outbox, self.lists, self.descriptions)
