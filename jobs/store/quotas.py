"""Quotas: limits on the live jobs and tasks of one user."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings

from database import rows
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.states import TASK_ENDS


class OverQuota(SwitchyardError):
    """A user has as much live as one user may have."""


def require_room(owner: int, *, jobs: int, tasks: int) -> None:
    """Raise OverQuota if a user may not have so many more live jobs and tasks; inside the submitting transaction.

    Tasks that are yet to be made from another stage's results are counted once they are made: see require_tasks.
    """
    if settings.QUOTA_JOBS or settings.QUOTA_TASKS:
        # One submission of a user at a time, so that many at once cannot each find the same room.
        rows.execute("SELECT 1 FROM auth_user WHERE id = %s FOR NO KEY UPDATE", [owner])
        live_jobs, live_tasks = _live(owner)
        _require("jobs", settings.QUOTA_JOBS, live_jobs + jobs)
        _require("tasks", settings.QUOTA_TASKS, live_tasks + tasks)


def require_tasks(job: UUID, tasks: int, unwritten: Mapping[int, StageRow]) -> None:
    """Raise OverQuota if the owner of a job may not have so many more live tasks; inside the leader's transaction.

    What is `unwritten` of stages counts, not their rows. Nobody is locked out, since the leader must not wait for a
    submission: one at the same moment may find the same room.
    """
    if not settings.QUOTA_TASKS:
        return
    ((owner,),) = rows.fetch("SELECT owner_id FROM jobs_job WHERE id = %s", [job])
    if owner is not None:
        own = rows.fetch(
            "SELECT s.id FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE j.owner_id = %s AND s.id = ANY(%s)",
            [owner, list(unwritten)],
        )
        here = sum(unwritten[id_].parallelism - unwritten[id_].count_ended for (id_,) in own)
        _require("tasks", settings.QUOTA_TASKS, _live(owner, besides=list(unwritten))[1] + here + tasks)


def _require(what: str, quota: int, live: int) -> None:
    if quota and live > quota:
        limit = f"One user may have at most {quota:,} live {what} (SWITCHYARD_QUOTA_{what.upper()})"
        raise OverQuota(f"{limit}; with this there would be {live:,}.")


def _live(owner: int, *, besides: Sequence[int] = ()) -> tuple[int, int]:
    """Count live jobs, and live tasks but for those of some stages."""
    ((jobs, tasks),) = rows.fetch(
        """SELECT count(DISTINCT j.id), coalesce(sum(c.tasks) FILTER (WHERE c.state - 1 <> ALL(%s) AND s.id <> ALL(%s)), 0)
        FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id, unnest(s.counts) WITH ORDINALITY AS c(tasks, state)
        WHERE j.owner_id = %s AND j.ended_at IS NULL""",
        [[int(state) for state in TASK_ENDS], list(besides), owner],
    )
    return jobs, int(tasks)
