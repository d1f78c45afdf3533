"""The unit of work: jobs, stages, lists and room as one transaction reads them, changes them and writes them back.

Only the leader writes stages, assignments and resources, so that reading them takes no locks; jobs are locked, since a
request may change them at any time (a cancel).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from switchyard.scheduling.assignment import how_many, promote
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import events
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import Resource
from switchyard.scheduling.lifecycle.records import Answer, Changes, Records
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, Room, StageRow
from switchyard.scheduling.lifecycle.states import JobState


class UnitOfWork:
    """Jobs, stages, lists and room, as one transaction sees and changes them; `now` is the time of the transaction."""

    def __init__(self, records: Records, now: float) -> None:
        self.records = records
        self.now = now
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

    def ask_stages(self, ids: Iterable[int]) -> Answer[None]:
        """Ask for these stages and lock their jobs, in the order of the jobs' ids."""
        missing = [id_ for id_ in set(ids) if id_ not in self.stages]
        if not missing:
            return lambda: None
        asked = self.records.ask_stages(missing)
        return lambda: self._take_stages(*asked())

    def read_lists(self, nodes: Iterable[int]) -> None:
        """Read the lists and the room of these nodes."""
        with self.records.together():
            self.ask_lists(nodes)()

    def ask_lists(self, nodes: Iterable[int]) -> Answer[None]:
        """Ask for the lists and the room of these nodes."""
        asked = self.records.ask_lists(list(nodes))

        def take() -> None:
            listed, resources = asked()
            for assignment in listed:
                self.lists[assignment.node].append(assignment)
            self.take_rooms(resources)

        return take

    def take_rooms(self, resources: Iterable[Resource]) -> None:
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
        gangs = self.records.gangs([assignment.stage for assignment in idle])
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
        jobs = [job for job in self.jobs.values() if job.changed]
        changed = [assignment for entries in self.lists.values() for assignment in entries if assignment.changed]
        self.records.write(
            Changes(
                stages=[stage for stage in self.stages.values() if stage.changed],
                jobs=jobs,
                events=self._events(jobs),
                assignments=[assignment for assignment in changed if assignment.id and assignment.listed],
                gone=[assignment.id for assignment in changed if assignment.id and not assignment.listed],
                rooms={node: room for node, room in self.rooms.items() if room.changed},
                placed=[assignment for assignment in changed if not assignment.id],
            )
        )

    def _take_stages(self, stages: Iterable[StageRow], jobs: dict[UUID, JobRow]) -> None:
        self.stages |= {stage.id: stage for stage in stages}
        for id_, job in jobs.items():
            if id_ not in self.jobs:
                self.jobs[id_] = job
                self._before[id_] = job.state, job.started

    def _events(self, changed: Iterable[JobRow]) -> list[Told]:
        told = [*self.told, *events.of_stages(self.ended)]
        for job in changed:
            state, started = self._before[job.id]
            told += events.of_job(job, state, started=started)
        return told
