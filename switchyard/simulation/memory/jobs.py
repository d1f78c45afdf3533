"""Jobs in memory, as the rules ask for them: without their stages."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Deadline, Namesakes
from switchyard.scheduling.lifecycle.rows import JobRow
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TASK_PLACES, TaskState
from switchyard.simulation.memory.store import Store
from switchyard.simulation.memory.tasks import Moved

#: What a retry takes of a finished task.
COPIED = (
    *("started_at", "ended_at", "scheduled_at", "node", "exit_code"),
    *("metrics", "accumulators", "logs", "result", "result_digest", "files"),
)


class Jobs:
    """The jobs of a store."""

    store: Store

    def lock_jobs(self, jobs: Collection[UUID]) -> list[JobRow]:
        """Return jobs, in the order of their ids."""
        return [replace(self.store.jobs[id_].row) for id_ in sorted(jobs)]

    def deadlines(self, jobs: Collection[UUID] | None) -> list[Deadline]:
        """Return jobs of which a timeout may be over, without those that are held; of these jobs alone, if any are given."""
        return [
            Deadline(id_, job.created_at, job.started_at, job.timeouts.queue, job.timeouts.run)
            for id_, job in sorted(self.store.jobs.items())
            if job.ended_at is None and not job.held_reason and (jobs is None or id_ in jobs)
        ]

    def release(self, job: UUID) -> None:
        """Hold a job no more."""
        self.store.jobs[job] = replace(self.store.jobs[job], held_reason="")

    def is_listed(self, job: UUID) -> bool:
        """Return whether tasks of a job stand on lists."""
        return any(self.store.stages[each.stage].row.job_id == job for each in self.store.assignments.values())

    def cancel_rest(self, job: UUID) -> None:
        """Move all tasks of a job that have not ended to CANCELED, and end its stages, with counters as their tasks say."""
        now = self.store.now
        for id_, stage in list(self.store.stages.items()):
            if stage.row.job_id == job:
                counts = [0] * TASK_PLACES
                for task in [task for task in self.store.tasks.values() if task.stage == id_]:
                    if task.state not in TASK_ENDS:
                        Moved(self.store).move(task, TaskState.CANCELED, ended_at=now)
                    counts[self.store.tasks[id_, task.index].state] += 1
                none = {"unplaced": IndexSet(), "blocked": IndexSet(), "delayed": IndexSet(), "next_due": None}
                row = replace(stage.row, ended=True, open_needs=0, counts=counts, **none)  # type: ignore[arg-type]
                self.store.stages[id_] = replace(stage, row=row, ended_at=stage.ended_at or now)

    def namesakes(self, old: UUID, new: UUID) -> list[Namesakes]:
        """Return the stages of two jobs that have the same names, in their order."""
        stages = self.store.stages.values()
        before = {stage.row.name: stage for stage in stages if stage.row.job_id == old}
        after = sorted((stage for stage in stages if stage.row.job_id == new), key=lambda stage: stage.position)
        return [
            Namesakes(one.row.id, stage.row.id, one.row.parallelism, one.row.counts[TaskState.FINISHED], bool(one.source))
            for stage in after
            if (one := before.get(stage.row.name))
        ]

    def copy_items(self, old: int, new: int, count: int) -> None:
        """Give a stage the items of another, and a task for each."""
        if old in self.store.items:
            self.store.items[new] = self.store.items[old]
        self.store.make_tasks(new, count)

    def copy_finished(self, old: int, new: int) -> IndexSet:
        """Copy the finished tasks of a stage over those of another, and return which they are."""
        found = [t for t in self.store.tasks.values() if t.stage == old and t.state == TaskState.FINISHED]
        for task in found:
            copied = {name: getattr(task, name) for name in COPIED}
            Moved(self.store).move(self.store.tasks[new, task.index], TaskState.FINISHED, **copied)
        return IndexSet.from_indexes(sorted(task.index for task in found))
