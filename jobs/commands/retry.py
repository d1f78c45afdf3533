"""Retry a job: the new job keeps the results of finished tasks whose work is unchanged, and runs the others again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction

from artifacts.logs import logs
from database import rows
from jobs.commands import control
from jobs.models import Job
from jobs.store.records import RECORDS
from nodes import events
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import reuse as rule
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import Before, Copied
from switchyard.scheduling.lifecycle.frontier import Standing, frontier
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState
from switchyard.scheduling.spec import Edit, JobSpec, Limits, edited, from_json, require_within

#: Stages of which an event names the reasons why they run again.
TOLD = 5


@dataclass(frozen=True, slots=True)
class Retrial:
    """A retry that may be made: the job that it repeats and how that stands, what it is described as, and what it reuses."""

    job: Job
    before: Mapping[str, Before]
    spec: JobSpec
    stages: Sequence[Standing]

    @property
    def reused(self) -> int:
        """The number of tasks that are not run again."""
        return sum(len(stage.stands) for stage in self.stages)

    @property
    def known(self) -> int:
        """The number of tasks, apart from those that are yet to be made from results."""
        return sum(stage.tasks or 0 for stage in self.stages)


def consider(job: Job, edit: Edit) -> Retrial:
    """Return what a retry of a job would reuse; raises StillLive, NothingToRetry or InvalidSpec."""
    if job.state not in JOB_ENDS:
        raise control.StillLive
    if job.state == JobState.FINISHED:
        raise control.NothingToRetry
    stored, limits = control.stored_spec(job), Limits(**settings.DESCRIPTION_LIMITS)
    old = from_json(stored)
    new = edited(stored, edit, limits) if edit else old
    require_within(new, limits)
    before = RECORDS.before(job.id)
    return Retrial(job, before, new, frontier(old, new, before))


def reuse(retrial: Retrial, new: UUID) -> None:
    """Copy what stands, with its logs, into the job that was stored anew."""
    number = retrial.job.number
    for copy in rule.reuse(RECORDS, number, retrial.before, new, retrial.stages, rows.now().timestamp()):
        link_logs(copy)
    events.record([Told("job_reused", _told(retrial), new)])


def link_logs(copy: Copied) -> None:
    """Keep what the attempts wrote that made results, for the tasks that have these now."""
    transaction.on_commit(partial(_link_logs, copy.old, copy.new, copy.tasks), robust=True)


def _told(retrial: Retrial) -> str:
    rerun = [stage for stage in retrial.stages if stage.reasons]
    why = [f" Stage {stage.stage} runs again: {'; '.join(stage.reasons)}." for stage in rerun[:TOLD]]
    more = [f" So do {len(rerun) - TOLD:,} more stages."] if len(rerun) > TOLD else []
    told = f"The job is a retry of job {retrial.job.number}. Of {retrial.known:,} tasks, {retrial.reused:,} are reused."
    return "".join([told, *why, *more])


def _link_logs(before: int, after: int, tasks: IndexSet) -> None:
    """Keep what the attempts wrote that made the results, as of the first attempts of the new tasks."""
    attempts = rows.fetch(
        "SELECT index, attempt FROM jobs_task WHERE stage_id = %s AND index <@ %s::int4multirange",
        [before, tasks.to_multirange()],
    )
    logs().link(before, after, dict(attempts))
