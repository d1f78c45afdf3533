"""What recovery asks of a store in memory, and writes there."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.lifecycle.facts import Lost, Patience, Sign
from switchyard.scheduling.lifecycle.states import LISTED, TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.simulation.memory.store import Store
from switchyard.simulation.memory.tasks import Moved, latest


class Recovery:
    """What recovery needs of a store."""

    store: Store

    def signs(self) -> list[Sign]:
        """Return the signs of life of the nodes that have a session."""
        return [
            Sign(n.id, n.session, self.store.now - n.heard_at, n.silent_since is not None, n.active, n.left)
            for n in sorted(self.store.nodes.values(), key=lambda node: node.id)
            if n.session
        ]

    def patience(self, nodes: Collection[int]) -> list[Patience]:
        """Return the stages of the sessions of nodes."""
        return [
            Patience(a.node, a.stage, self.store.jobs[self._job_of(a.stage)].disconnect_grace)
            for a in self.store.assignments.values()
            if a.node in nodes and a.session == self.store.nodes[a.node].session
        ]

    def nodes_outlived(self) -> list[int]:
        """Return the nodes on whose lists entries stand from older sessions; entries of jobs that are held do not count."""
        listed = self.store.assignments.values()
        old = [a for a in listed if a.session != self.store.nodes[a.node].session]
        return sorted({a.node for a in old if not self._is_held(a.stage)})

    def on_list(self, node: int) -> list[tuple[int, UUID]]:
        """Return the stages on a node's list, each with its job, but for those of jobs that are held."""
        stages = {a.stage for a in self.store.assignments.values() if a.node == node}
        return [(stage, self._job_of(stage)) for stage in sorted(stages) if not self._is_held(stage)]

    def due(self, jobs: Collection[UUID] | None) -> list[tuple[int, UUID]]:
        """Return stages with tasks whose backoff may be over, and their jobs; of these jobs alone, if any are given."""
        return [
            (id_, record.row.job_id)
            for id_, record in sorted(self.store.stages.items())
            if not record.row.ended and record.row.next_due is not None and record.row.next_due <= self.store.now
            if not self._is_held(id_) and (jobs is None or record.row.job_id in jobs)
        ]

    def not_before(self, stage: int, indexes: IndexSet) -> list[tuple[int, float]]:
        """Return until when tasks wait, as (index, seconds since the epoch)."""
        waits = ((index, self.store.tasks[stage, index].not_before) for index in indexes)
        return [(index, at) for index, at in waits if at is not None]

    def end_session(self, node: int) -> None:
        """Leave a node without a session."""
        self.store.nodes[node] = replace(self.store.nodes[node], session="")

    def lose(self, lost: Sequence[Lost]) -> list[Move]:
        """End the attempts of listed tasks as lost with their nodes."""
        moved, now = Moved(self.store), self.store.now
        for each in lost:
            for index in range(each.low, each.high):
                task = self.store.tasks[each.stage, index]
                if task.node == each.node and task.state in LISTED:
                    moved.move(
                        task,
                        each.after,
                        losses=task.losses + each.losses,
                        exit_class="lost",
                        error="the node was lost",
                        ended_at=latest(task.started_at, task.scheduled_at, now),
                        not_before=None,
                    )
        return moved.moves()

    def reconcile(self, node: int, stage: int, indexes: IndexSet, before: TaskState, after: TaskState) -> list[Move]:
        """Move tasks on a node from one state to another, as the node is silent or heard again."""
        moved = Moved(self.store)
        for index in indexes:
            task = self.store.tasks[stage, index]
            if (task.node, task.state) == (node, before):
                moved.move(task, after)
        return moved.moves()

    def write_silent(self, nodes: Collection[int], *, silent: bool) -> None:
        """Write since when nodes are silent, or that they are not."""
        for id_ in nodes:
            node = self.store.nodes[id_]
            since = (node.silent_since or self.store.now) if silent else None
            self.store.nodes[id_] = replace(node, silent_since=since)

    def write_ends(self, ends: Ends) -> None:
        """Count how attempts ended."""
        self.store.ends.update(ends)

    def _job_of(self, stage: int) -> UUID:
        return self.store.stages[stage].row.job_id

    def _is_held(self, stage: int) -> bool:
        return bool(self.store.jobs[self._job_of(stage)].held_reason)
