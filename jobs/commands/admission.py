"""Admission: the only entrance for jobs: limits, quotas, idempotency, the bound on simultaneous submissions, the audit."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from psycopg.errors import UniqueViolation

from access import audit
from access.identifying import Identity
from database import rows
from database.snapshots import one_snapshot
from jobs.commands import control, restoring
from jobs.commands.idempotency import Repeat, digest, made_before
from jobs.commands.restoring import Restore
from jobs.commands.retry import Retrial, consider, reuse
from jobs.commands.submit import plan, store
from jobs.store.quotas import require_room
from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.spec import Edit, Format, JobSpec, Limits, parse, read_edit, to_json
from switchyard.scheduling.spec.limits import over

LONGEST_KEY = 200
#: Submissions that a process works on at once; more would take the processors from the jobs that wait to be placed. Bounded
#: here, where nothing is locked yet: who submits within a transaction must not wait for those that wait for its rows.
AT_ONCE = BoundedSemaphore(2)

T = TypeVar("T")
#: Asks for what is to be answered of a job; called with the statements that store it.
Show = Callable[[UUID], rows.Answer[T]]


@dataclass(frozen=True, slots=True)
class Admitted(Generic[T]):
    """What is shown of a job, and whether it is new: the same idempotency key shows the same job again."""

    shown: T
    is_new: bool


def id_alone(id_: UUID) -> rows.Answer[UUID]:
    """Show no more of a job than its id."""
    return lambda: id_


def submit(
    by: Identity,
    text: bytes | str,
    show: Show[T],
    *,
    format: Format | None = None,
    key: str | None = None,
    restore: Restore | None = None,
    besides: Callable[[UUID], None] = lambda _: None,
) -> Admitted[T]:
    """Store the job that a text describes, unless this key has made it already; it may start from a savepoint.

    `besides` is called with its id in the transaction that stores it, to write what goes with it.
    Raises TooLarge, InvalidSpec, KeyReused or OverQuota, and with a savepoint BadLocation, NoSuchSavepoint or Damaged.
    """
    _check(key)
    spec = parse(text, format=format, limits=_limits())
    from_where = {"restore": [restore.path, restore.lenient]} if restore else {}
    repeat = Repeat(key, digest(to_json(spec) | from_where)) if key else None

    def make() -> rows.Answer[T]:
        if restore:
            new = _stored_from(by, spec, restore, repeat)
            audit.record(by, "job.submit", new, name=spec.name, savepoint=restore.path)
            with rows.together():
                shown = show(new)
        else:
            planned = plan(spec)
            with rows.together():
                new = store(planned, owner=_owner(by), repeat=repeat)
                audit.record(by, "job.submit", new, name=spec.name)
                shown = show(new)
        besides(new)
        return shown

    return _once(by, repeat, make, show)


def retry(
    by: Identity,
    old: UUID,
    show: Show[T],
    *,
    text: bytes | str = b"",
    format: Format | None = None,
    key: str | None = None,
) -> Admitted[T]:
    """Make a new job of a job that failed or was canceled, in which what had finished stands as reused.

    The text says what is edited, if anything (switchyard.scheduling.spec.editing).
    Raises NoSuchJob, StillLive or NothingToRetry, and what `submit` raises.
    """
    _check(key)
    edit = read_edit(text, format, _limits())
    repeat = Repeat(key, digest({"retry": str(old)} | _told(edit))) if key else None

    def make() -> rows.Answer[T]:
        new = _stored_again(by, old, edit, repeat)
        audit.record(by, "job.retry", old, new=str(new), set=sorted(edit.changes), described=edit.description is not None)
        with rows.together():
            return show(new)

    return _once(by, repeat, make, show)


def consider_retry(by: Identity, old: UUID, *, text: bytes | str = b"", format: Format | None = None) -> Retrial:
    """Return what `retry` would reuse and run again, and make nothing; raises what it raises."""
    edit = read_edit(text, format, _limits())
    with transaction.atomic():
        retrial = _considered(by, old, edit)
    if retrial.known > _limits().tasks:
        raise _too_many(retrial.known)
    return retrial


def _once(by: Identity, repeat: Repeat | None, make: Callable[[], rows.Answer[T]], show: Show[T]) -> Admitted[T]:
    if repeat and (known := made_before(_owner(by), repeat)):
        return _again(known, show)
    try:
        with AT_ONCE, transaction.atomic():
            shown = make()
    except UniqueViolation:
        # The same key arrived at another process meanwhile.
        known = made_before(_owner(by), repeat) if repeat else None
        if known is None:
            raise
        return _again(known, show)
    # Only here, so that the scheduler need not wait until the answer is made.
    return Admitted(shown(), is_new=True)


def _again(id_: UUID, show: Show[T]) -> Admitted[T]:
    with one_snapshot(), rows.together():
        return Admitted(show(id_)(), is_new=False)


def _stored_again(by: Identity, id_: UUID, edit: Edit, repeat: Repeat | None) -> UUID:
    retrial, owner = _considered(by, id_, edit), _owner(by)
    new = store(plan(retrial.spec), owner=owner, repeat=repeat, retried_from=id_)
    reuse(retrial, new)
    _require_tasks(new)
    if owner is not None:
        # Again, since tasks made from items are there only now.
        require_room(owner, jobs=0, tasks=0)
    return new


def _stored_from(by: Identity, spec: JobSpec, restore: Restore, repeat: Repeat | None) -> UUID:
    restoration, owner = restoring.consider(spec, restore), _owner(by)
    if owner is not None:
        known = sum(stage.tasks or 0 for stage in restoration.stages)
        require_room(owner, jobs=1, tasks=known - restoration.reused)
    new = store(plan(spec), owner=owner, repeat=repeat, restored_from=restoration.told)
    restoring.restore_into(restoration, spec, new)
    _require_tasks(new)
    return new


def _considered(by: Identity, id_: UUID, edit: Edit) -> Retrial:
    """Return what a retry would reuse, if its owner has room for what it would run again."""
    retrial = consider(control.locked(id_), edit)
    if (owner := _owner(by)) is not None:
        require_room(owner, jobs=1, tasks=retrial.known - retrial.reused)
    return retrial


def _told(edit: Edit) -> dict[str, Any]:
    """Return what an edit says, for the digest; nothing for none, so that older keys give the same jobs."""
    told = {"set": dict(edit.changes), "description": edit.description}
    return {name: value for name, value in told.items() if value}


def _require_tasks(job: UUID) -> None:
    """Raise InvalidSpec if a job has more tasks than it may have, now that those made from items are there."""
    ((tasks,),) = rows.fetch("SELECT sum(parallelism) FROM jobs_stage WHERE job_id = %s", [job])
    if tasks > _limits().tasks:
        raise _too_many(tasks)


def _too_many(tasks: int) -> InvalidSpec:
    return InvalidSpec([over("stages", f"{tasks:,} tasks in all", "tasks", _limits())])


def _check(key: str | None) -> None:
    if key is not None and not (key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise InvalidSpec([Fault("Idempotency-Key", f"must have 1 to {LONGEST_KEY} printable characters")])


def _limits() -> Limits:
    return Limits(**settings.DESCRIPTION_LIMITS)


def _owner(by: Identity) -> int | None:
    return by.user.pk if by.user else None
