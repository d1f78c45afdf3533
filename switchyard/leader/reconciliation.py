"""Compare what agents say that they have with what is on their lists.

A task counts as missing at an agent, or as none of its business, when two heartbeats after each other say so: what is on
its way arrives between them. What is missing is given up and placed again; what an agent has beyond its list it must end.
"""

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from switchyard.leader.ports import Lists
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.rows import AssignmentRow

#: Tasks by stage and attempt.
Tasks = dict[tuple[int, int], IndexSet]


@dataclass(slots=True)
class Difference:
    """What one session's agent lacks of its list, and what it has beyond."""

    node: int
    session: str
    missing: Tasks = field(default_factory=dict)
    extra: Tasks = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Say whether there is a difference."""
        return bool(self.missing or self.extra)

    def both(self, other: "Difference") -> "Difference":
        """Return what differs here and there."""
        return Difference(self.node, self.session, _both(self.missing, other.missing), _both(self.extra, other.extra))


class Reconciler:
    """Remembers the last difference of each session. Losing that costs a heartbeat."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._last: dict[str, Difference] = {}

    def compare(self, beats: Iterable[Heartbeat], unconfirmed: Container[int]) -> list[Difference]:
        """Return what agents lack or have beyond their lists for the second time.

        `unconfirmed` are the ids of assignments that an agent may not have heard of yet.
        """
        told = self._current({beat.node: beat for beat in beats if beat.figures.get("inventory")})
        if not told:
            return []
        listed: dict[str, list[AssignmentRow]] = defaultdict(list)
        for assignment in self._lists.of(told):
            listed[assignment.session].append(assignment)
        found = [_difference(beat, listed[beat.session], unconfirmed) for beat in told.values()]
        again = [now.both(before) for now in found if (before := self._last.get(now.session))]
        self._last = {session: last for session, last in self._last.items() if last.node not in told}
        self._last |= {now.session: now for now in found if now.any}
        return [difference for difference in again if difference.any]

    def _current(self, told: dict[int, Heartbeat]) -> dict[int, Heartbeat]:
        """Leave out late heartbeats: since these inventories their agents have reported what they confirmed or ended."""
        last = self._lists.last_reports(told) if told else {}
        return {
            node: beat for node, beat in told.items() if beat.figures["inventory"].get("reported", last[node]) >= last[node]
        }


def to_end(differences: Iterable[Difference]) -> dict[str, list[list[Any]]]:
    """Return what agents have beyond their lists, as commands cancel it, by session."""
    return {
        each.session: [[stage, attempt, tasks.to_json()] for (stage, attempt), tasks in each.extra.items()]
        for each in differences
        if each.extra
    }


def _difference(beat: Heartbeat, listed: Iterable[AssignmentRow], unconfirmed: Container[int]) -> Difference:
    inventory, listed = beat.figures["inventory"], list(listed)
    has = _union((stage, attempt, IndexSet.of(ranges)) for stage, attempt, ranges in inventory["listed"] + inventory["begun"])
    known = _union([*_flat(has), *((stage, attempt, IndexSet.of(ranges)) for stage, attempt, ranges in inventory["ended"])])
    heard = _union((each.stage, each.attempt, each.listed) for each in listed if each.id not in unconfirmed)
    everything = _union((each.stage, each.attempt, each.listed) for each in listed)
    return Difference(beat.node, beat.session, _less(heard, known), _less(has, everything))


def _union(tasks: Iterable[tuple[int, int, IndexSet]]) -> Tasks:
    found: Tasks = defaultdict(IndexSet)
    for stage, attempt, indexes in tasks:
        found[stage, attempt] |= indexes
    return found


def _flat(tasks: Tasks) -> list[tuple[int, int, IndexSet]]:
    return [(stage, attempt, indexes) for (stage, attempt), indexes in tasks.items()]


def _less(tasks: Tasks, others: Tasks) -> Tasks:
    return {key: left for key, indexes in tasks.items() if (left := indexes - others.get(key, IndexSet()))}


def _both(tasks: Tasks, others: Tasks) -> Tasks:
    return {key: common for key, indexes in tasks.items() if (common := indexes & others.get(key, IndexSet()))}
