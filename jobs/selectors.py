"""Reading jobs, stages and tasks."""

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from jobs import rows
from jobs.models import Lease
from scheduling.lifecycle import TaskState


def inputs_of(stage: int) -> dict[int, list[str | None]]:
    """Return the results of each producer of a stage by index, as JSON texts; None where there is none."""
    inputs: dict[int, list[str | None]] = {}
    for producer, results in rows.fetch(
        """SELECT e.producer_id, array_agg(CASE WHEN t.state = %s THEN t.result::text END ORDER BY t.index)
        FROM jobs_edge e JOIN jobs_task t ON t.stage_id = e.producer_id WHERE e.consumer_id = %s GROUP BY 1""",
        [int(TaskState.FINISHED), stage],
    ):
        inputs[producer] = results
    return inputs


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """Who leads, or led last."""

    holder: str
    epoch: int
    alive: bool


def leader() -> LeaderRow:
    """Return the holder of the lease, and whether it holds it still by the database's clock."""
    row = Lease.objects.values_list("holder", "epoch", Q(expires_at__gt=Now())).first()
    return LeaderRow(*row) if row else LeaderRow("", 0, alive=False)
