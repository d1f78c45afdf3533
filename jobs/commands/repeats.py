"""Requests without a key that come again until they are answered: each time they find the same operation.

The job that calls the function has a key of the request itself, which it gives back once the operation was answered.
"""

import hashlib
import json
from uuid import UUID

from access.identifying import Identity
from database import rows
from jobs.commands import planning
from jobs.commands.programs import Call
from jobs.models import Program
from switchyard.scheduling.lifecycle.operations import Kind

PREFIX = "request "
#: Seconds after its end in which an operation is still found by a request that comes again.
FOUND = 600.0


def ask(by: Identity, program: Program, function: str, call: Call, kind: Kind) -> UUID:
    """Have a function called, unless the same request waits for that already; raises what `planning.ask` raises."""
    key = PREFIX + _digest(program, function, call, kind)
    rows.execute(
        """UPDATE jobs_job j SET idempotency_key = NULL FROM jobs_operation o
        WHERE j.idempotency_key = %s AND j.owner_id IS NOT DISTINCT FROM %s AND o.job_id = j.id
            AND o.ended_at < now() - %s * interval '1 second'""",
        [key, by.user and by.user.pk, FOUND],
    )
    return planning.ask(by, program, function, call, kind, key=key)


def answered(operation: UUID) -> None:
    """Let the same request ask for something new: it has learned what came of this operation."""
    rows.execute(
        """UPDATE jobs_job j SET idempotency_key = NULL FROM jobs_operation o
        WHERE o.id = %s AND j.id = o.job_id AND starts_with(j.idempotency_key, %s)""",
        [operation, PREFIX],
    )


def _digest(program: Program, function: str, call: Call, kind: Kind) -> str:
    told = [kind.value, program.digest, program.name, function, list(call.arguments), call.parallelism]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
