"""What agents say that they have, compared with their lists. What differs twice in a row is acted on."""

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

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

    def both(self, other: "Difference") -> "Difference":
        """Return what differs here and there."""
        return Difference(self.node, self.session, _both(self.missing, other.missing), _both(self.extra, other.extra))


class Comparison:
    """Remembers the last difference of each session."""

    def __init__(self) -> None:
        self._last: dict[str, Difference] = {}

    def compare(self, beat: Heartbeat, listed: Iterable[AssignmentRow], unconfirmed: Container[int]) -> Difference | None:
        """Return what an agent lacks or has beyond its list for the second time; `unconfirmed` it may not have heard of."""
        now = _difference(beat, list(listed), unconfirmed)
        before, self._last[now.session] = self._last.get(now.session), now
        lasting = now.both(before) if before else None
        return lasting if lasting and (lasting.missing or lasting.extra) else None


def _difference(beat: Heartbeat, listed: list[AssignmentRow], unconfirmed: Container[int]) -> Difference:
    inventory = beat.figures["inventory"]
    has, ended = _union(inventory["listed"] + inventory["begun"]), _union(inventory["ended"])
    known = {key: has.get(key, IndexSet()) | ended.get(key, IndexSet()) for key in {*has, *ended}}
    heard = _union([row.stage, row.attempt, row.listed.to_json()] for row in listed if row.id not in unconfirmed)
    everything = _union([row.stage, row.attempt, row.listed.to_json()] for row in listed)
    return Difference(beat.node, beat.session, _less(heard, known), _less(has, everything))


def _union(tasks: Iterable[list[object]]) -> Tasks:
    found: Tasks = defaultdict(IndexSet)
    for stage, attempt, ranges in tasks:
        found[stage, attempt] |= IndexSet.of(ranges)  # type: ignore[index,arg-type]
    return dict(found)


def _less(tasks: Tasks, others: Tasks) -> Tasks:
    return {key: left for key, indexes in tasks.items() if (left := indexes - others.get(key, IndexSet()))}


def _both(tasks: Tasks, others: Tasks) -> Tasks:
    return {key: common for key, indexes in tasks.items() if (common := indexes & others.get(key, IndexSet()))}
