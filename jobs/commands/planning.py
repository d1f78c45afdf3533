"""Planning: functions of programs describe jobs. A function is called on an agent, as the one task of a job of its own.

The operation that waits for it ends with a description, or with the job that is submitted of it.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from access import acting
from access.identifying import Identity
from access.roles import Role
from artifacts.errors import StorageUnavailable
from database import rows
from jobs.commands import admission
from jobs.commands.programs import Call, with_program
from jobs.models import Program
from jobs.store.records import RECORDS
from jobs.store.results import result_texts
from switchyard.programs.errors import BadEntry
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.operations import Ended, Failure, Kind, Request
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.retry import ExitClass
from switchyard.scheduling.spec import JobSpec, Limits, from_data

log = structlog.get_logger()
CALLED = "switchyard.programs.calling:describe"
KINDS = (Kind.PLAN, Kind.RUN)
#: The job type of the jobs that call functions, by which operators find and limit them; they go before others.
TYPE, PRIORITY = "planning", 0
STAGE = "plan"
RESOURCES = {"cpus": 1, "mem": "1GiB"}
#: Seconds that such a job may wait for a node, after which it is killed, and that the leader may take to end the operation.
QUEUE, GRACE, LONGER = 600.0, 2.0, 60.0


class MayNotRun(SwitchyardError):
    """A plan of this entry point runs a function of the program on an agent, which takes an operator."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """An operation whose job has ended: how, and what became of its one task."""

    id: UUID
    kind: Kind
    arguments: dict[str, Any]
    owner: int | None
    state: JobState
    job_error: str
    stage: int
    exit_class: str | None
    error: str | None


def ask(by: Identity, program: Program, function: str, call: Call, kind: Kind, *, key: str | None = None) -> UUID:
    """Have a function called on an agent, and return the operation; raises MayNotRun, and what `admission.submit` raises.

    The same key gives the same operation.
    """
    if by.role is None or not by.role.includes(Role.OPERATOR):
        raise MayNotRun
    kept = {"program": program.name, "digest": program.digest, "entry": function}
    seconds = QUEUE + settings.PLANNING_SECONDS + GRACE + LONGER

    def begin(job: UUID) -> None:
        RECORDS.request_operation(Request(kind, by.name, seconds, job, kept))

    text = json.dumps(_job(program, function, call, kind))
    made = admission.submit(by, text, admission.id_alone, format="json", key=key, besides=begin)
    ((operation,),) = rows.fetch("SELECT id FROM jobs_operation WHERE job_id = %s AND kind = %s", [made.shown, kind.value])
    found: UUID = operation
    return found


def due() -> list[UUID]:
    """Return the operations whose functions were called, the oldest first."""
    found = rows.fetch(
        """SELECT o.id FROM jobs_operation o JOIN jobs_job j ON j.id = o.job_id
        WHERE o.ended_at IS NULL AND o.kind = ANY(%s) AND j.ended_at IS NOT NULL ORDER BY o.number""",
        [[kind.value for kind in KINDS]],
    )
    return [id_ for (id_,) in found]


def finish(id_: UUID) -> None:
    """End an operation whose function was called, and submit the job if it is to be run: both or neither, and once."""
    found = _read(id_)
    if found is None:
        return
    try:
        description = described(found.stage, found.arguments) if found.state == JobState.FINISHED else _fail(found)
        if found.kind is Kind.RUN:
            _submit(found, description)
        else:
            RECORDS.end_operations([Ended(id_, outcome={"name": checked(description).name})])
    except _EndedMeanwhile:
        return
    except StorageUnavailable:
        raise
    except SwitchyardError as error:
        RECORDS.end_operations([Ended(id_, failure=Failure(type(error).__name__, str(error)))])
    except Exception as error:
        if rows.is_transient(error):
            raise
        log.exception("a job that a function describes cannot be stored", operation=str(id_))
        RECORDS.end_operations([Ended(id_, failure=Failure("Internal", "The log of the leading scheduler has the error."))])


def described(stage: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the description that a function has returned, with its program; raises BadEntry."""
    job = json.loads(result_texts(stage)[0] or "null")
    if not isinstance(job, dict):
        raise BadEntry(f"{arguments['entry']} returned nothing; it must return a switchyard.Job, or a description as a dict.")
    return with_program(job, arguments["digest"], arguments["program"])


def checked(description: dict[str, Any]) -> JobSpec:
    """Return the job that a description says; raises InvalidSpec."""
    return from_data(description, limits=Limits(**settings.DESCRIPTION_LIMITS))


class _EndedMeanwhile(Exception):
    """Somebody else has ended the operation."""


def _submit(found: _Planned, description: dict[str, Any]) -> None:
    by = acting.identity_of(found.owner, Role.OPERATOR)

    def end(job: UUID) -> None:
        if not rows.fetch("SELECT 1 FROM jobs_operation WHERE id = %s AND ended_at IS NULL FOR UPDATE", [found.id]):
            raise _EndedMeanwhile
        ((number,),) = rows.fetch("SELECT number FROM jobs_job WHERE id = %s", [job])
        RECORDS.end_operations([Ended(found.id, outcome={"job": number, "id": str(job)})])

    admission.submit(by, json.dumps(description), admission.id_alone, format="json", besides=end)


def _job(program: Program, function: str, call: Call, kind: Kind) -> dict[str, Any]:
    most = Limits(**settings.DESCRIPTION_LIMITS).bytes
    stage = {
        "name": STAGE,
        "python": CALLED,
        "args": [function, list(call.arguments), call.parallelism, most],
        "program": {"digest": program.digest, "name": program.name},
        "resources": RESOURCES,
        "timeout": settings.PLANNING_SECONDS,
        "grace": GRACE,
    }
    return {
        "name": f"{kind.value} {program.name[:80]} {function[:100]}",
        "type": TYPE,
        "priority": PRIORITY,
        "timeouts": {"queue": QUEUE},
        "stages": [stage],
    }


def _fail(found: _Planned) -> dict[str, Any]:
    """Raise BadEntry, which says why there is no description."""
    entry = found.arguments["entry"]
    if found.exit_class == ExitClass.TIMEOUT:
        raise BadEntry(f"{entry} took longer than {settings.PLANNING_SECONDS} s (SWITCHYARD_PLANNING_SECONDS).")
    if found.exit_class is None or found.state == JobState.CANCELED:
        why = f": {found.job_error}" if found.job_error else ""
        raise BadEntry(f"{entry} has described no job: the job that calls it ended {found.state.name}{why}.")
    error = (found.error or "").strip()
    said = f"{BadEntry.__module__}.{BadEntry.__qualname__}: "
    raise BadEntry(error.removeprefix(said) if error.startswith(said) else f"{entry} failed ({found.exit_class}): {error}")


def _read(id_: UUID) -> _Planned | None:
    found = rows.fetch(
        """SELECT o.kind, o.arguments::text, j.owner_id, j.state, j.error, s.id, t.exit_class, t.error
        FROM jobs_operation o JOIN jobs_job j ON j.id = o.job_id JOIN jobs_stage s ON s.job_id = j.id
        JOIN jobs_task t ON t.stage_id = s.id WHERE o.id = %s AND o.ended_at IS NULL AND j.ended_at IS NOT NULL""",
        [id_],
    )
    if not found:
        return None
    kind, arguments, owner, state, job_error, stage, exit_class, error = found[0]
    return _Planned(id_, Kind(kind), json.loads(arguments), owner, JobState(state), job_error, stage, exit_class, error)
