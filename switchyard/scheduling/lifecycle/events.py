"""Events of jobs and tasks: at most one for each cause, stage and transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from switchyard.scheduling.lifecycle.rows import JobRow, StageRow
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState, TaskState

RETRIED, LOST, FAILED, QUARANTINED = "task_retried", "task_lost", "task_failed", "task_quarantined"
_WHAT = {
    RETRIED: "failed and will be tried again",
    LOST: "went down with the node and will be tried again",
    FAILED: "failed",
    QUARANTINED: "went down with too many nodes and will not be tried again",
}
#: Stages that are named where several have ended at once.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, and what it happened to."""

    kind: str
    text: str
    job: UUID | None = None
    node: int | None = None


def of_job(job: JobRow, state: JobState, *, started: bool) -> list[Told]:
    """Tell how a job has changed that was in this state, and had started or not."""
    told = []
    if job.started and not started:
        told.append(Told("job_started", "The job has started.", job.id))
    if job.error:
        told.append(Told("job_failing", f"The job fails: {job.error}", job.id))
    if job.state in JOB_ENDS and state not in JOB_ENDS:
        name = job.state.name.lower()
        told.append(Told(f"job_{name}", f"The job is {name}.", job.id))
    if job.state is JobState.SUSPENDED and state is not JobState.SUSPENDED:
        told.append(Told("job_suspended", "Nothing of the job runs any more: it is suspended.", job.id))
    return told


def of_stages(ended: Iterable[StageRow]) -> list[Told]:
    """Tell which stages have ended, by how they have."""
    groups: dict[tuple[UUID, str], list[str]] = {}
    for stage in ended:
        groups.setdefault((stage.job_id, _how(stage)), []).append(stage.name)
    return [Told(f"stage_{how}", f"{_named(names)} {how}.", job) for (job, how), names in groups.items()]


def of_tasks(kind: str, counted: Mapping[tuple[StageRow, str], int], node: int | None = None) -> list[Told]:
    """Tell what became of tasks, counted by stage and cause."""
    return [
        Told(kind, f"{_tasks(count)} of stage {stage.name} {_WHAT[kind]}{': ' + cause if cause else ''}.", stage.job_id, node)
        for (stage, cause), count in counted.items()
    ]


def _how(stage: StageRow) -> str:
    if stage.counts[TaskState.FAILED]:
        return "failed"
    return "finished" if stage.counts[TaskState.FINISHED] == stage.parallelism else "canceled"


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count:,} tasks"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'Stages' if len(names) > 1 else 'Stage'} {', '.join(names[:NAMED])}{more}"
