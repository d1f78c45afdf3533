"""Events of jobs and nodes; never one for each task.

The table stands here because both nodes and jobs write it. An event is written in the transaction of what it tells.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from database import rows
from nodes.models import Event
from nodes.reading import names_of
from switchyard.scheduling.lifecycle.events import Told


def record(told: Iterable[Told]) -> None:
    """Write what happened, by one statement."""
    values = [(one.kind, one.text, one.job, one.node) for one in told]
    if values:
        rows.execute(
            "INSERT INTO nodes_event (at, kind, text, job_id, node_id) SELECT now(), c.* FROM "
            "unnest(%s::text[], %s::text[], %s::uuid[], %s::bigint[]) AS c",
            rows.columns(values, 4),
        )


def events() -> QuerySet[Event, Any]:
    """Return what is shown of events, newest first."""
    found: QuerySet[Event, Any] = Event.objects.order_by("-id").values("id", "at", "kind", "text", "job_id", "node_id")
    return found


def of_nodes() -> QuerySet[Event, Any]:
    """Return the events of nodes and of the scheduler, newest first."""
    return events().filter(job_id=None)


def named(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the names of their nodes to events."""
    told = list(found)
    names = names_of({row["node_id"] for row in told if row["node_id"]})
    return [row | {"job": row["job_id"], "node": names.get(row["node_id"])} for row in told]
