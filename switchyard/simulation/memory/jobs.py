"""Jobs in memory, as the rules ask for them: without their stages."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Before, Copied, Deadline, Reused
from switchyard.scheduling.lifecycle.rows import JobRow
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TASK_PLACES, TaskState
from switchyard.simulation.memory.rows import StageRecord
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
        """Return jobs of which a timeout may be over, without those that are held or suspended; of these alone, if given."""
        live = [(id_, job) for id_, job in sorted(self.store.jobs.items()) if job.ended_at is None and not job.held_reason]
        return [
            Deadline(id_, job.created_at, job.started_at, job.timeouts.queue, job.timeouts.run, job.suspended_seconds)
            for id_, job in live
            if job.suspended_at is None and (jobs is None or id_ in jobs)
        ]

    def release(self, job: UUID) -> None:
        """Hold a job no more."""
        self.store.jobs[job] = replace(self.store.jobs[job], held_reason="")

    def note_suspended(self, job: UUID, by: str, reason: str) -> None:
        """Note by whom and why a job is suspended from now on."""
        noted = {"suspended_at": self.store.now, "suspended_by": by, "suspend_reason": reason}
        self.store.jobs[job] = replace(self.store.jobs[job], **noted)  # type: ignore[arg-type]

    def note_resumed(self, job: UUID) -> None:
        """Note that a job is suspended no more, and add up for how long it was."""
        record = self.store.jobs[job]
        since = self.store.now if record.suspended_at is None else record.suspended_at
        seconds = record.suspended_seconds + self.store.now - since
        self.store.jobs[job] = replace(
            record, suspended_at=None, suspended_by="", suspend_reason="", suspended_seconds=seconds
        )

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

    def before(self, job: UUID) -> dict[str, Before]:
        """Return how the stages of a job stand, by name."""
        found = {}
        for stage in self._stages_of(job):
            tasks = [self.store.tasks[stage.row.id, index] for index in range(stage.row.parallelism)]
            finished = IndexSet.from_indexes(task.index for task in tasks if task.state == TaskState.FINISHED)
            found[stage.row.name] = Before(
                stage.row.id, stage.row.parallelism, finished, origins=stage.reused.origins if stage.reused else ()
            )
        return found

    def stage_ids(self, job: UUID) -> dict[str, int]:
        """Return the stages of a job by name."""
        return {stage.row.name: stage.row.id for stage in self._stages_of(job)}

    def copy_items(self, old: int, new: int, count: int) -> None:
        """Give a stage the items of another, and a task for each."""
        if old in self.store.items:
            self.store.items[new] = self.store.items[old]
        self.store.make_tasks(new, count)

    def copy_finished(self, copies: Sequence[Copied]) -> None:
        """Copy finished tasks of stages over the CREATED ones of others."""
        for old, new, indexes in copies:
            for index in indexes:
                copied = {name: getattr(self.store.tasks[old, index], name) for name in COPIED}
                Moved(self.store).move(self.store.tasks[new, index], TaskState.FINISHED, **copied)

    def write_reused(self, reused: Sequence[Reused]) -> None:
        """Write which tasks of stages stand from other jobs, and why others do not."""
        for each in reused:
            self.store.stages[each.stage] = replace(self.store.stages[each.stage], reused=each)

    def _stages_of(self, job: UUID) -> list[StageRecord]:
        found = [stage for stage in self.store.stages.values() if stage.row.job_id == job]
        return sorted(found, key=lambda stage: stage.position)
