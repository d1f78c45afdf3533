"""Compare what agents say that they have with what is on their lists.

A task counts as missing at an agent, or as none of its business, when two heartbeats after each other say so: what is on
its way arrives between them. What is missing is given up and placed again; what an agent has beyond its list it must end.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from database import rows
from jobs.leader import hangs, lost_nodes
from jobs.leader.bisect import isolate
from jobs.store.tables import ASSIGNMENT_COLUMNS, read_assignment
from nodes import conditions, selectors
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.rows import AssignmentRow

log = structlog.get_logger()
GIVE_UP = "give up"
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

    def __init__(self) -> None:
        self._last: dict[str, Difference] = {}

    def compare(self, beats: Iterable[Heartbeat], unconfirmed: Container[int]) -> list[Difference]:
        """Return what agents lack or have beyond their lists for the second time.

        `unconfirmed` are the ids of assignments that an agent may not have heard of yet.
        """
        told = _current({beat.node: beat for beat in beats if beat.figures.get("inventory")})
        if not told:
            return []
        listed = _lists(told, unconfirmed)
        found = [_difference(beat, listed[node]) for node, beat in told.items()]
        again = [now.both(before) for now in found if (before := self._last.get(now.session))]
        self._last = {session: last for session, last in self._last.items() if last.node not in told}
        self._last |= {now.session: now for now in found if now.any}
        lasting = [difference for difference in _without_barred(again) if difference.any]
        for difference in lasting:
            log.error("an agent does not have what stands on its list, or has more", **_counts(difference))
        return lasting


def give_up(difference: Difference, *, epoch: int) -> None:
    """Give up what an agent lacks. A job whose tasks cannot be given up is held with the reason."""
    by_job: dict[UUID, Tasks] = defaultdict(dict)
    jobs = _jobs_of(difference.missing)
    for key, tasks in difference.missing.items():
        if key[0] in jobs:
            by_job[jobs[key[0]]][key] = tasks

    def work(part: Sequence[UUID]) -> None:
        missing = {key: tasks for job in part for key, tasks in by_job[job].items()}
        lost_nodes.give_up(difference.node, difference.session, missing, epoch=epoch)

    if by_job:
        isolate(list(by_job), work, partial(hangs.bar, step=GIVE_UP))


def note_conditions(beats: Iterable[Heartbeat], lasting: Iterable[Difference]) -> None:
    """Set the conditions that follow from heartbeats and from what differs."""
    found: dict[int, dict[str, str]] = {beat.node: _wrong(beat) for beat in beats}
    whole = selectors.totals(list(found))
    for beat in beats:
        inventory = beat.figures.get("inventory")
        if inventory and not inventory["begun"] and {**whole[beat.node], **inventory["free"]} != whole[beat.node]:
            found[beat.node][conditions.ROOM] = f"It says that {inventory['free']} of {whole[beat.node]} is free."
    for each in lasting:
        counts = _counts(each)
        found[each.node][conditions.DIFFERS] = (
            f"{counts['missing']} tasks of its list it does not have: they are placed again. "
            f"{counts['extra']} tasks it has that are not on its list: it is told to end them."
        )
    conditions.note(found)


def _without_barred(differences: list[Difference]) -> list[Difference]:
    """Leave out what agents lack of jobs of which nothing can be given up: it is when they are released."""
    jobs = _jobs_of(key for each in differences for key in each.missing)
    for each in differences:
        each.missing = {key: tasks for key, tasks in each.missing.items() if key[0] in jobs}
    return differences


def _jobs_of(keys: Iterable[tuple[int, int]]) -> dict[int, UUID]:
    """Return the jobs of stages, but for those of which nothing can be given up."""
    stages = list({stage for stage, _ in keys})
    if not stages:
        return {}
    found = rows.fetch(
        f"SELECT s.id, s.job_id FROM jobs_stage s WHERE s.id = ANY(%s) AND NOT {hangs.BARRED}", [stages, GIVE_UP]
    )
    return dict(found)


def _wrong(beat: Heartbeat) -> dict[str, str]:
    stuck = (beat.figures.get("inventory") or {}).get("stuck", 0)
    wrong = (
        {conditions.STALLED: "Its loop has not turned for seconds; it takes no commands."}
        if beat.figures.get("stalled")
        else {}
    )
    if beat.figures.get("fault"):
        wrong[conditions.UNFIT] = str(beat.figures["fault"])
    return wrong | ({conditions.STUCK: f"{stuck} in the last 10 s; their tasks were given back."} if stuck else {})


def _counts(difference: Difference) -> dict[str, Any]:
    missing, extra = (sum(map(len, tasks.values())) for tasks in (difference.missing, difference.extra))
    return {"node": difference.node, "missing": missing, "extra": extra}


def _current(told: dict[int, Heartbeat]) -> dict[int, Heartbeat]:
    """Leave out late heartbeats: since these inventories their agents have reported what they confirmed or ended."""
    last = selectors.last_reports(list(told))
    return {node: beat for node, beat in told.items() if beat.figures["inventory"].get("reported", last[node]) >= last[node]}


def _lists(told: Mapping[int, Heartbeat], unconfirmed: Container[int]) -> dict[int, list[tuple[AssignmentRow, bool]]]:
    """Return what stands on the lists of these sessions, and of each whether its agent has heard of it."""
    lists: dict[int, list[tuple[AssignmentRow, bool]]] = defaultdict(list)
    for row in rows.fetch(f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE node_id = ANY(%s)", [list(told)]):
        assignment = read_assignment(row)
        if assignment.session == told[assignment.node].session:
            lists[assignment.node].append((assignment, assignment.id not in unconfirmed))
    return lists


def _difference(beat: Heartbeat, listed: list[tuple[AssignmentRow, bool]]) -> Difference:
    inventory = beat.figures["inventory"]
    has = _union((stage, attempt, IndexSet.of(ranges)) for stage, attempt, ranges in inventory["listed"] + inventory["begun"])
    known = _union([*_flat(has), *((stage, attempt, IndexSet.of(ranges)) for stage, attempt, ranges in inventory["ended"])])
    heard = _union((each.stage, each.attempt, each.listed) for each, is_heard in listed if is_heard)
    everything = _union((each.stage, each.attempt, each.listed) for each, _ in listed)
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
