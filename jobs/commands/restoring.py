"""Start a job from a savepoint: what had finished stands, and the other tasks go on from their states."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from database import rows
from jobs.commands import control
from jobs.commands.checkpoints import at
from jobs.commands.retry import link_logs
from jobs.store import handing_over, manifests
from jobs.store.handing_over import NotSplittable
from jobs.store.records import RECORDS
from jobs.store.savepoints import Savepoint
from nodes import events
from switchyard.scheduling.errors import Fault, InvalidSpec, SwitchyardError
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import restoring as rule
from switchyard.scheduling.lifecycle import reuse
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import Before
from switchyard.scheduling.lifecycle.frontier import Standing
from switchyard.scheduling.spec import JobSpec


class Damaged(SwitchyardError):
    """The manifest of the savepoint cannot be read, or is not what was written."""


@dataclass(frozen=True, slots=True)
class Restore:
    """From where a job is to start, as a path or file URI; `lenient` leaves out states of stages that it does not have."""

    path: str
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a job takes of a savepoint."""

    savepoint: Savepoint
    before: Mapping[str, Before]
    stages: Sequence[Standing]

    @property
    def reused(self) -> int:
        """The number of tasks that are not run again."""
        return sum(len(stage.stands) for stage in self.stages)

    @property
    def told(self) -> dict[str, object]:
        """What the job remembers of where it started."""
        found = self.savepoint
        return {"job": found.job_number, "savepoint": found.number, "location": found.location}


def consider(spec: JobSpec, restore: Restore) -> Restoration:
    """Return what a job would take of a savepoint, which stays until the transaction ends.

    Raises BadLocation, NoSuchSavepoint, Damaged or InvalidSpec.
    """
    savepoint = at(restore.path)
    control.locked(savepoint.job)
    _require_whole(savepoint)
    before = {name: _as_saved(was, savepoint) for name, was in RECORDS.before(savepoint.job).items()}
    saved = handing_over.saved(savepoint.id)
    names = {name for name, was in before.items() if was.stage in saved}
    return Restoration(savepoint, before, rule.standing(spec, before, names, lenient=restore.lenient))


def restore_into(restoration: Restoration, spec: JobSpec, new: UUID) -> None:
    """Give what stands, and the states, to a job that was stored; raises InvalidSpec where states cannot be shared out."""
    savepoint, before = restoration.savepoint, restoration.before
    now = rows.now().timestamp()
    for copy in reuse.reuse(RECORDS, savepoint.job_number, before, new, restoration.stages, now):
        link_logs(copy)
    ids, states, faults = RECORDS.stage_ids(new), 0, []
    for stage in restoration.stages:
        was = before.get(stage.stage)
        if was is None or not stage.tasks or len(stage.stands) == stage.tasks:
            continue
        left = IndexSet.span(0, was.tasks) - was.finished
        try:
            states += handing_over.hand_over(savepoint.id, was.stage, ids[stage.stage], was.tasks, stage.tasks, left)
        except NotSplittable as error:
            place = [each.name for each in spec.stages].index(stage.stage)
            told = f"must be {was.tasks:,}, as in the savepoint: {error}"
            faults.append(Fault(f"stages[{place}].parallelism", told))
    if faults:
        raise InvalidSpec(faults)
    source = f"savepoint {savepoint.number} of job {savepoint.job_number}"
    told = f"{restoration.reused:,} tasks had finished, and {states:,} go on from their states."
    events.record([Told("job_restored", f"The job starts from {source}: {told}", new)])


def _as_saved(was: Before, savepoint: Savepoint) -> Before:
    return was._replace(finished=was.finished & savepoint.finished.get(was.stage, IndexSet()))


def _require_whole(savepoint: Savepoint) -> None:
    try:
        text = manifests.read(savepoint.location)
    except OSError as error:
        raise Damaged(f"The manifest of {savepoint.location} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(text).hexdigest() != savepoint.manifest:
        raise Damaged(f"The manifest of {savepoint.location} is damaged: it is not what was written.")
