"""Commands of one leader, rendered from lists. What is not confirmed in time is rendered again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from switchyard.messaging.messages import Command, Launch
from switchyard.scheduling.lifecycle.rows import AssignmentRow

#: Seconds after which an unconfirmed command is sent again.
UNCONFIRMED = 1.0
#: Messages that wait in the queue of a session that does not take them.
WAITING = 4
Told = Mapping[str, list[list[Any]]]
NOTHING: Told = MappingProxyType({})


@dataclass(slots=True)
class Sent:
    """What one session was sent: the stages that it knows, and the commands that it has not confirmed, with their entries."""

    stages: set[int] = field(default_factory=set)
    unconfirmed: dict[int, tuple[float, list[int]]] = field(default_factory=dict)


class Dispatcher:
    """Sends the commands of one leader."""

    def __init__(
        self, epoch: int, describe: Callable[[int], dict[str, Any]], send: Callable[[Command], None], now: Callable[[], float]
    ) -> None:
        self._number = epoch << 32
        self._describe = describe
        self._send = send
        self._now = now
        self._sent: dict[str, Sent] = {}
        self._acknowledged: dict[str, int] = {}
        self._heartbeats: dict[str, int] = {}

    def confirm(self, session: str, seen: Iterable[int], acknowledged: int) -> None:
        """Note which commands an agent has obeyed, and which of its reports is the last applied."""
        self._acknowledged[session] = acknowledged
        for number in seen:
            self._of(session).unconfirmed.pop(number, None)

    def hear(self, session: str, heartbeat: int) -> None:
        """Note a heartbeat, which the next command acknowledges."""
        self._heartbeats[session] = heartbeat

    def forget(self, stages: Iterable[int]) -> None:
        """Describe stages anew when they are next launched."""
        for sent in self._sent.values():
            sent.stages -= set(stages)

    def unconfirmed(self) -> set[int]:
        """Return the ids of the assignments that agents have not confirmed."""
        return {id_ for sent in self._sent.values() for _, ids in sent.unconfirmed.values() for id_ in ids}

    def late(self, waiting: Callable[[str], int]) -> set[int]:
        """Return the ids of the assignments to send again, and forget that they were sent."""
        ids: set[int] = set()
        for session, sent in self._sent.items():
            if waiting(session) < WAITING:
                for number, (at, entries) in list(sent.unconfirmed.items()):
                    if self._now() - at > UNCONFIRMED:
                        del sent.unconfirmed[number]
                        ids.update(entries)
        return ids

    def keep(self, live: set[str]) -> set[str]:
        """Forget the sessions that are over, and return them."""
        over = self._sent.keys() - live
        for session in over:
            del self._sent[session]
        return over

    def resend(self, assignments: Iterable[AssignmentRow]) -> None:
        """Send entries with all that is needed to run them."""
        assignments = list(assignments)
        for assignment in assignments:
            self._of(assignment.session).stages.discard(assignment.stage)
        self.dispatch(assignments)

    def dispatch(
        self,
        assignments: Iterable[AssignmentRow] = (),
        acknowledge: Iterable[str] = (),
        cancels: Told = NOTHING,
        recalls: Told = NOTHING,
        pauses: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Send each session a command with its new entries, what it must end, give back or pause, and acknowledgements."""
        by_session: dict[str, list[AssignmentRow]] = {}
        for session in sorted({*acknowledge, *cancels, *recalls, *pauses}):
            by_session[session] = []
        for assignment in assignments:
            by_session.setdefault(assignment.session, []).append(assignment)
        for session, launches in by_session.items():
            command = self._next(session)
            command.pause = pauses.get(session, 0)
            command.recalls, command.cancels = list(recalls.get(session, ())), list(cancels.get(session, ()))
            self._launch(command, launches)
            self._send(command)

    def _launch(self, command: Command, launches: list[AssignmentRow]) -> None:
        sent = self._of(command.session)
        for row in launches:
            if row.stage not in sent.stages:
                sent.stages.add(row.stage)
                command.stages[row.stage] = self._describe(row.stage)
            command.launches.append(
                Launch(row.entry, row.stage, row.attempt, row.listed.to_json(), row.demand, row.after, row.pause)
            )
        if launches:
            sent.unconfirmed[command.number] = (self._now(), [row.id for row in launches])

    def _next(self, session: str) -> Command:
        self._number += 1
        return Command(
            session=session,
            number=self._number,
            acknowledged=self._acknowledged.get(session, 0),
            heartbeat=self._heartbeats.get(session, 0),
        )

    def _of(self, session: str) -> Sent:
        return self._sent.setdefault(session, Sent())
