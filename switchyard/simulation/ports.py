"""The surroundings of one leader in the simulation: a clock, an outbox, lists and descriptions."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from switchyard.leader.descriptions import STAGE, Described, Description
from switchyard.messaging.messages import Command, queue_of
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import AssignmentRow
from switchyard.simulation import story
from switchyard.simulation.broker import Broker
from switchyard.simulation.database import Database
from switchyard.simulation.server import Server
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline


class VirtualClock:
    """Shows the time of the run."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def monotonic(self) -> float:
        return self._timeline.now

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._timeline.now, UTC)


class Outbox:
    """Sends one process's commands by the broker."""

    def __init__(self, process: str, broker: Broker, story: Story) -> None:
        self._process = process
        self._broker = broker
        self._story = story

    def send(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if story.is_telling(command):
                self._story.note(self._process, f"sends {command.session} {story.command(command)}")
            self._broker.send(self._process, queue_of(command.session), command.encode())

    def waiting(self, sessions: Sequence[str]) -> list[int]:
        return [self._broker.waiting(queue_of(session)) for session in sessions]

    def delete(self, sessions: Collection[str]) -> None:
        for session in sessions:
            self._broker.delete(queue_of(session))


class Lists:
    """The lists as the database has them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[AssignmentRow]:
        return self._those(lambda _: True)

    def some(self, ids: Collection[int]) -> list[AssignmentRow]:
        return self._those(lambda row: row.id in ids)

    def of(self, nodes: Collection[int]) -> list[AssignmentRow]:
        return self._those(lambda row: row.node in nodes)

    def last_reports(self, nodes: Collection[int]) -> dict[int, int]:
        return {node: self._database.store.nodes[node].last_report for node in nodes}

    def resumed(self, sessions: Collection[str]) -> list[AssignmentRow]:
        known = self._database.registrations
        return self._those(lambda row: row.session in sessions and bool(known[row.node].predecessor))

    def _those(self, chosen: Callable[[AssignmentRow], bool]) -> list[AssignmentRow]:
        found = filter(chosen, self._database.store.assignments.values())
        return sorted(found, key=lambda row: (row.node, row.entry))


class Descriptions:
    """What the server says of stages."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def ask(self, stages: set[int]) -> Answer[Described]:
        return lambda: self.read(stages)

    def read(self, stages: set[int]) -> Described:
        return {stage: Description(self._server.describe(stage), STAGE) for stage in sorted(stages)}
