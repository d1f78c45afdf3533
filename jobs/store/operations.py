"""Operations as rows."""

import json
from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from database import rows
from switchyard.scheduling.lifecycle.operations import Ended, Kind, Open, Request, Target
from switchyard.scheduling.lifecycle.states import Intent, JobState


def request(asked: Request) -> UUID:
    """Write an operation that begins now, and return its id."""
    ((id_,),) = rows.fetch(
        """INSERT INTO jobs_operation (id, number, kind, job_id, arguments, requested_by, requested_at, deadline)
        VALUES (gen_random_uuid(), nextval('jobs_operation_number'), %s, %s, %s::jsonb, %s, now(),
            now() + %s * interval '1 second') RETURNING id""",
        [asked.kind.value, asked.job, json.dumps(dict(asked.arguments)), asked.by, asked.seconds],
    )
    return cast("UUID", id_)


def in_progress(jobs: Collection[UUID] | None) -> list[Open]:
    """Return the operations in progress, the oldest first; of these jobs alone, if any are given."""
    found = rows.fetch(
        """SELECT o.id, o.kind, extract(epoch FROM o.requested_at)::float8, extract(epoch FROM o.deadline)::float8,
            j.state, j.intent
        FROM jobs_operation o LEFT JOIN jobs_job j ON j.id = o.job_id
        WHERE o.ended_at IS NULL AND (%s OR o.job_id = ANY(%s)) ORDER BY o.number""",
        [jobs is None, list(jobs or ())],
    )
    return [
        Open(id_, Kind(kind), asked_at, deadline, None if state is None else Target(JobState(state), Intent(intent)))
        for id_, kind, asked_at, deadline, state, intent in found
    ]


def end(ended: Sequence[Ended]) -> None:
    """End operations that are in progress; others stay as they ended."""
    values = [
        (
            each.id,
            None if each.failure else json.dumps(each.outcome),
            json.dumps([each.failure.name, each.failure.text]) if each.failure else None,
        )
        for each in ended
    ]
    rows.execute(
        """UPDATE jobs_operation o SET ended_at = now(), outcome = c.outcome::jsonb, failure = c.failure::jsonb
        FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS c(id, outcome, failure)
        WHERE o.id = c.id AND o.ended_at IS NULL""",
        rows.columns(values, 3),
    )
