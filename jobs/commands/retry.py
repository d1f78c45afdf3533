"""Retry a job: the new job keeps the results of finished tasks and runs the others again."""

from functools import partial
from uuid import UUID

from django.db import transaction

from artifacts.storage import storage
from database import rows
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle import reuse as rule
from switchyard.scheduling.lifecycle.states import TaskState


def reuse(old: UUID, new: UUID) -> None:
    """Copy the finished tasks of a job, with their logs, into the job that was submitted anew from its description."""
    for before, after in rule.reuse(RECORDS, old, new, rows.now().timestamp()):
        transaction.on_commit(partial(_link_logs, before, after), robust=True)


def _link_logs(before: int, after: int) -> None:
    """Keep what the attempts wrote that made the results, as of the first attempts of the new tasks."""
    attempts = rows.fetch(
        "SELECT index, attempt FROM jobs_task WHERE stage_id = %s AND state = %s", [before, int(TaskState.FINISHED)]
    )
    storage().link_logs(before, after, dict(attempts))
