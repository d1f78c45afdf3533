"""Send agents the commands for their lists. Commands are rendered from rows and never replayed.

What a node has not confirmed within a second is rendered again under a new number, unless what it was sent before still
waits in the broker; an agent ignores what it knows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, TypeVar

from switchyard.leader.descriptions import Described
from switchyard.leader.packing import Packed, Packer
from switchyard.leader.ports import Ports
from switchyard.leader.unconfirmed import Sent
from switchyard.messaging.messages import Command, Launch
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import AssignmentRow

#: Messages that wait in the queue of a session that does not take them.
WAITING = 4
#: Bytes, about, of commands that a session has not confirmed; descriptions beyond them are left out.
QUEUED = 4 * 1024 * 1024
#: Seconds of no confirmation after which a session does not listen.
DEAF = 15.0
_T = TypeVar("_T")


class Dispatcher:
    """Sends commands for one leader. Its memory saves messages only: losing it means sending again."""

    def __init__(self, epoch: int, ports: Ports) -> None:
        self._clock = ports.clock
        self._outbox = ports.outbox
        self._lists = ports.lists
        self._descriptions = ports.descriptions
        self._number = epoch << 32
        self._sent: dict[str, Sent] = defaultdict(Sent)
        self._acknowledged: dict[str, int] = {}
        self._heartbeats: dict[str, int] = {}
        self._live: Set[str] = set()
        #: Whether the broker takes no messages: what is told now is told again when it does.
        self.mute = False

    def confirm(self, session: str, seen: Iterable[int], acknowledged: int) -> None:
        """Note which commands an agent has obeyed, and which of its reports is the last applied.

        A command that was overtaken by a later one is dropped by the agent, so that the highest number says nothing.
        """
        self._acknowledged[session] = acknowledged
        self._sent[session].confirm(seen, self._clock.monotonic())

    def unconfirmed(self) -> set[int]:
        """Return the ids of the assignments that agents have not confirmed."""
        sent = [each.unconfirmed.values() for each in self._sent.values()]
        return {id_ for commands in sent for _, ids, _ in commands for id_ in ids}

    def hear(self, session: str, heartbeat: int) -> None:
        """Note a heartbeat, which the next command to this session acknowledges."""
        self._heartbeats[session] = heartbeat

    def forget(self, stages: set[int]) -> None:
        """Describe stages anew when they are next launched."""
        for sent in self._sent.values() if stages else ():
            sent.stages -= stages

    def ask(self, assignments: Iterable[AssignmentRow]) -> Answer[Described]:
        """Ask for the descriptions of those stages that some session does not know yet."""
        unknown = {entry.stage for entry in assignments if entry.stage not in self._sent[entry.session].stages}
        return self._descriptions.ask(unknown) if unknown else dict

    def send_all(self) -> None:
        """Send all lists, since it is not known what was sent before."""
        self._send_anew(self._lists.all())

    def dispatch(
        self,
        assignments: Iterable[AssignmentRow],
        described: Described,
        acknowledge: Iterable[str],
        cancels: Mapping[str, list[list[Any]]] = MappingProxyType({}),
        pauses: Mapping[str, int] = MappingProxyType({}),
        recalls: Mapping[str, list[list[Any]]] = MappingProxyType({}),
        checkpoints: Mapping[str, list[list[Any]]] = MappingProxyType({}),
    ) -> None:
        """Send each session its new assignments, what it must end, give back, save or pause, and acknowledgements.

        That is one command each, or several if it is long. `described` is the answer to `ask` for these assignments.
        """
        told = sorted({*acknowledge, *cancels, *pauses, *recalls, *checkpoints})
        by_session: dict[str, list[AssignmentRow]] = {session: [] for session in told}
        for assignment in assignments:
            by_session.setdefault(assignment.session, []).append(assignment)
        commands: list[Command] = []
        for session, launches in by_session.items():
            packer = self._pack(session, launches, described)
            packer.packed[0].command.pause = pauses.get(session, 0)
            packer.ask_back(recalls.get(session, ()), cancels.get(session, ()))
            packer.ask_for_states(checkpoints.get(session, ()))
            commands += self._note(session, packer.packed)
        if commands and not self.mute:
            self._outbox.send(commands)

    def resend(self, now: float, cancels: Mapping[str, list[list[Any]]], pauses: Mapping[str, int]) -> None:
        """Send again what was not confirmed in time, and what must end or pause, to sessions that take what they are sent."""
        if self.mute:
            # Nobody can be expected to confirm what does not leave.
            for sent in self._sent.values():
                sent.waiting_since = None if sent.waiting_since is None else now
            return
        late = {session: numbers for session, sent in self._sent.items() if (numbers := sent.late(now))}
        taking = self._taking({*late, *cancels, *pauses})
        ids = [id_ for session in taking for id_ in self._sent[session].take(late.get(session, ()))]
        if ids:
            self._send_anew(self._lists.some(ids))
        for session in taking:
            self._sent[session].settle()
        self.dispatch([], {}, [], _of(cancels, taking), _of(pauses, taking))

    def deaf(self, now: float) -> set[str]:
        """Return the sessions that have confirmed nothing for long although the broker took what they were sent."""
        return {session for session in self.waiting() if now - (self._sent[session].waiting_since or now) > DEAF}

    def waiting(self) -> set[str]:
        """Return the sessions that have something to confirm."""
        return {session for session, sent in self._sent.items() if sent.waiting_since is not None}

    def keep(self, live: Set[str]) -> None:
        """Forget the sessions that are not live any more, and delete their queues.

        Those that have gone on from another are sent their lists: what the other was sent may have been lost with it.
        """
        if begun := live - self._live:
            self._send_anew(self._lists.resumed(begun))
        self._live = live
        over = self._sent.keys() - live
        if over and not self.mute:
            self._outbox.delete(over)
            for known in (self._sent, self._acknowledged, self._heartbeats):
                for session in over:
                    known.pop(session, None)

    def _taking(self, sessions: Collection[str]) -> list[str]:
        """Return which of these sessions take what they are sent: for others it waits in the broker already."""
        if not sessions:
            return []
        asked = sorted(sessions)
        waiting = self._outbox.waiting(asked)
        return [session for session, number in zip(asked, waiting, strict=True) if number < WAITING]

    def _send_anew(self, assignments: Sequence[AssignmentRow]) -> None:
        """Send assignments with everything needed to run them."""
        for assignment in assignments:
            self._sent[assignment.session].stages.discard(assignment.stage)
        stages = {assignment.stage for assignment in assignments}
        self.dispatch(assignments, self._descriptions.read(stages) if stages else {}, [])

    def _pack(self, session: str, assignments: list[AssignmentRow], described: Described) -> Packer:
        """Make the next commands for a session, which launch its assignments."""
        packer, sent = Packer(lambda: self._next(session)), self._sent[session]
        for assignment in assignments:
            told, size = None, 0
            if assignment.stage not in sent.stages:
                sent.stages.add(assignment.stage)
                description = described[assignment.stage].within(max(0, QUEUED - sent.size - packer.size))
                told, size = description.told, description.size
            packer.launch(assignment.id, _launch(assignment), told, size)
        return packer

    def _next(self, session: str) -> Command:
        self._number += 1
        return Command(
            session=session,
            number=self._number,
            acknowledged=self._acknowledged.get(session, 0),
            heartbeat=self._heartbeats.get(session, 0),
        )

    def _note(self, session: str, packed: list[Packed]) -> list[Command]:
        """Remember what commands launch, and return them."""
        now = self._clock.monotonic()
        for each in packed:
            if each.assignments:
                self._sent[session].add(each.command.number, each.assignments, each.size, now)
        return [each.command for each in packed]


def _of(told: Mapping[str, _T], sessions: Collection[str]) -> dict[str, _T]:
    return {session: what for session, what in told.items() if session in sessions}


def _launch(assignment: AssignmentRow) -> Launch:
    return Launch(
        entry=assignment.entry,
        stage=assignment.stage,
        attempt=assignment.attempt,
        ranges=assignment.listed.to_json(),
        demand=assignment.demand,
        after=assignment.after,
        pause=assignment.pause,
    )
