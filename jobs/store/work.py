"""The rows that one of the leader's transactions works on: read once, moved in memory, written back set by set.

Only the leader writes stages, assignments and resources, so reading them takes no locks; job rows are locked, since a
request may change them at any time (a cancel).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from database import rows
from jobs.store import events as job_events
from jobs.store import writes
from jobs.store.tables import (
    ASSIGNMENT_COLUMNS,
    JOB_COLUMNS,
    STAGE_COLUMNS,
    STAGE_WIDTH,
    AssignmentRow,
    JobRow,
    Room,
    StageRow,
    read_assignment,
    read_job,
    read_stage,
)
from jobs.telemetry.outcomes import Ends
from nodes import events, selectors
from nodes.events import Told
from switchyard.scheduling.assignment import how_many, promote
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState


class Board:
    """Jobs, stages, lists and room, as one transaction sees and changes them."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, JobRow] = {}
        self.stages: dict[int, StageRow] = {}
        self.lists: dict[int, list[AssignmentRow]] = defaultdict(list)
        self.rooms: dict[int, Room] = defaultdict(Room)
        self.ended: list[StageRow] = []
        self.told: list[Told] = []
        self.ends: Ends = Counter()
        self.begun = 0
        self._before: dict[UUID, tuple[JobState, bool]] = {}

    def lock_stages(self, ids: Iterable[int]) -> None:
        """Read these stages and lock their jobs, in the order of the jobs' ids."""
        self.ask_stages(ids)()

    def ask_stages(self, ids: Iterable[int]) -> rows.Answer[None]:
        """Ask for these stages and lock their jobs, in the order of the jobs' ids."""
        missing = [id_ for id_ in set(ids) if id_ not in self.stages]
        if not missing:
            return lambda: None
        asked = rows.execute(
            f"SELECT {STAGE_COLUMNS}, {JOB_COLUMNS} FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id "
            "WHERE s.id = ANY(%s) ORDER BY j.id FOR NO KEY UPDATE OF j",
            [missing],
        )
        return lambda: self._take_stages(asked.fetchall())

    def read_lists(self, nodes: Iterable[int]) -> None:
        """Read the lists and the room of these nodes."""
        with rows.together():
            self.ask_lists(nodes)()

    def ask_lists(self, nodes: Iterable[int]) -> rows.Answer[None]:
        """Ask for the lists and the room of these nodes."""
        ids = list(nodes)
        lists = rows.execute(
            f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE node_id = ANY(%s) ORDER BY entry", [ids]
        )
        rooms = selectors.ask_resources(ids)

        def take() -> None:
            for row in lists.fetchall():
                self.lists[row[1]].append(read_assignment(row))
            self.take_rooms(rooms())

        return take

    def take_rooms(self, resources: Iterable[tuple[int, str, int, int, int]]) -> None:
        """Note what nodes have, each resource as (node, name, total, capacity, held)."""
        for node, name, total, capacity, held in resources:
            room = self.rooms[node]
            room.total[name], room.capacity[name], room.held[name] = total, capacity, held

    def job_of(self, stage: int) -> JobRow:
        """Return the job that a stage belongs to."""
        return self.jobs[self.stages[stage].job_id]

    def drop(self, node: int, stage: int, indexes: IndexSet) -> None:
        """Take tasks off a node's list and free what they held."""
        for assignment in self.lists[node]:
            if assignment.stage == stage and (taken := assignment.listed & indexes):
                self.rooms[node].hold(assignment.demand, -assignment.drop(taken))

    def hold_started(self, node: int, begun: AssignmentRow, indexes: IndexSet) -> None:
        """Hold for tasks that began without a hold, withdrawing the newest holds whose start is unreported for room."""
        room = self.rooms[node]
        if how_many(begun.demand, room.free) < len(indexes):
            self._withdraw(node, begun.demand, len(indexes))
        granted = indexes.take(how_many(begun.demand, room.free))[0]
        begun.held |= granted
        begun.changed = True
        room.hold(begun.demand, len(granted))

    def _withdraw(self, node: int, demand: dict[str, int], wanted: int) -> None:
        """Withdraw holds until so many tasks fit; none of a gang, of which all members hold or none does."""
        room = self.rooms[node]
        idle = [assignment for assignment in reversed(self.lists[node]) if assignment.held - assignment.started]
        gangs = _gangs(assignment.stage for assignment in idle)
        for assignment in idle:
            missing = wanted - how_many(demand, room.free)
            if missing <= 0:
                break
            if assignment.stage not in gangs:
                taken = IndexSet.from_indexes(list(assignment.held - assignment.started)[-missing:])
                assignment.held -= taken
                assignment.changed = True
                room.hold(assignment.demand, -len(taken))

    def promote(self, node: int) -> None:
        """Grant what the node's list and room allow."""
        live = [assignment for assignment in self.lists[node] if assignment.listed]
        on_list: dict[int, IndexSet] = defaultdict(IndexSet)
        for assignment in live:
            on_list[assignment.stage] |= assignment.listed
        for assignment in live:
            assignment.startable = not assignment.recalled and not any(
                on_list[stage] & IndexSet.span(low, high) for stage, low, high in assignment.after if stage in on_list
            )
        room = self.rooms[node]
        for assignment, count in promote(live, room.free):
            assignment.held |= (assignment.listed - assignment.held).take(count)[0]
            assignment.changed = True
            room.hold(assignment.demand, count)

    def write(self) -> None:
        """Write back all that changed, in one round trip."""
        changed_jobs = [job for job in self.jobs.values() if job.changed]
        changed = [assignment for entries in self.lists.values() for assignment in entries if assignment.changed]
        with rows.together():
            writes.write_stages([stage for stage in self.stages.values() if stage.changed])
            writes.write_jobs(changed_jobs)
            self._tell(changed_jobs)
            writes.write_assignments([assignment for assignment in changed if assignment.id and assignment.listed])
            writes.delete_assignments([a.id for a in changed if a.id and not a.listed])
            writes.write_rooms({node: room for node, room in self.rooms.items() if room.changed})
            writes.insert_assignments([assignment for assignment in changed if not assignment.id])

    def _take_stages(self, found: Iterable[Sequence[Any]]) -> None:
        for row in found:
            self.stages[row[0]] = read_stage(row[:STAGE_WIDTH])
            if row[1] not in self.jobs:
                job = self.jobs[row[1]] = read_job(row[STAGE_WIDTH:])
                self._before[job.id] = job.state, job.started

    def _tell(self, changed: Iterable[JobRow]) -> None:
        told = [*self.told, *job_events.of_stages(self.ended)]
        for job in changed:
            state, started = self._before[job.id]
            told += job_events.of_job(job, state, started=started)
        events.record(told)


def _gangs(stages: Iterable[int]) -> set[int]:
    found = rows.fetch("SELECT id FROM jobs_stage WHERE id = ANY(%s) AND spec ->> 'gang' = 'true'", [list(stages)])
    return {id_ for (id_,) in found}
