"""Quotas: how many jobs and tasks of one user may be live at once, so that nobody fills the installation alone."""

from django.conf import settings
from django.contrib.auth.models import User

from jobs import rows
from scheduling.errors import SwitchyardError
from scheduling.lifecycle import TASK_ENDS


class OverQuota(SwitchyardError):
    """A user has as much live as one user may have."""


def require_room(owner: int, tasks: int) -> None:
    """Raise OverQuota if a user may not have one more live job, of so many tasks; inside the submitting transaction.

    Tasks that are yet to be made from another stage's results are counted once they are there.
    """
    quotas = {"jobs": settings.QUOTA_JOBS, "tasks": settings.QUOTA_TASKS}
    if not any(quotas.values()):
        return
    # One submission of a user at a time, so that many at once cannot each find the same room.
    User.objects.select_for_update(no_key=True).get(pk=owner)
    live = _live(owner)
    for what, more in (("jobs", 1), ("tasks", tasks)):
        quota = quotas[what]
        if quota and live[what] + more > quota:
            limit = f"One user may have at most {quota:,} live {what} (SWITCHYARD_QUOTA_{what.upper()})"
            raise OverQuota(f"{limit}; {live[what]:,} are there, and this would add {more:,}.")


def _live(owner: int) -> dict[str, int]:
    ((jobs, tasks),) = rows.fetch(
        """SELECT count(DISTINCT j.id), coalesce(sum(c.tasks) FILTER (WHERE c.state - 1 <> ALL(%s)), 0)
        FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id, unnest(s.counts) WITH ORDINALITY AS c(tasks, state)
        WHERE j.owner_id = %s AND j.ended_at IS NULL""",
        [[int(state) for state in TASK_ENDS], owner],
    )
    return {"jobs": jobs, "tasks": int(tasks)}
