"""Savepoints in SQL (switchyard.scheduling.lifecycle.savepoints.Savepoints), and jobs that start from them."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from artifacts import references
from artifacts.kinds import Kind
from database import rows
from jobs.models import Checkpoint
from jobs.store import manifests, states
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.savepoints import NotWritten, Taken, Then
from switchyard.scheduling.lifecycle.states import TaskState

_COMPLETED, _FAILED = int(Checkpoint.State.COMPLETED), int(Checkpoint.State.FAILED)
#: The version of manifests.
FORMAT = 1


class Savepoint(NamedTuple):
    """A savepoint from which a job may start."""

    id: int
    number: int
    job: UUID
    job_number: int
    location: str
    manifest: str
    finished: Mapping[int, IndexSet]


class SqlSavepoints:
    """Savepoints as PostgreSQL has them, with their manifests."""

    def taken(self) -> Sequence[Taken]:
        """Return the savepoints that have to be gone on with."""
        found = rows.fetch(
            f"""SELECT c.id, c.number, c.job_id, o.id, o.requested_by, o.arguments ->> 'then', c.location, c.manifest <> ''
            FROM jobs_operation o JOIN jobs_checkpoint c ON c.operation_id = o.id
            WHERE o.ended_at IS NULL AND c.is_savepoint AND c.state = {_COMPLETED} ORDER BY c.id"""
        )
        return [
            Taken(id_, number, job, operation, by, Then(then), location, written)
            for id_, number, job, operation, by, then, location, written in found
        ]

    def write(self, savepoint: Taken) -> str:
        """Write the manifest of a savepoint, in no transaction, and return its digest; raises NotWritten."""
        text = _manifest(savepoint.id)
        try:
            manifests.write(savepoint.location, text)
        except OSError as error:
            raise NotWritten(f"{savepoint.location}: {error.strerror or error}") from error
        return hashlib.sha256(text).hexdigest()

    def note_written(self, savepoint: int, digest: str) -> None:
        """Note that the manifest with this digest is written."""
        rows.execute("UPDATE jobs_checkpoint SET manifest = %s WHERE id = %s", [digest, savepoint])

    def give_up(self, savepoints: Collection[int], why: str) -> None:
        """Let savepoints have failed, and delete their states."""
        rows.execute(
            f"UPDATE jobs_checkpoint SET state = {_FAILED}, failure = %s, discarded = true WHERE id = ANY(%s)",
            [why, list(savepoints)],
        )
        states.discard(savepoints)


def complete(savepoints: Collection[int]) -> None:
    """Note which tasks had finished, and keep the last states of those that were not asked, as they did not run."""
    for id_ in savepoints:
        found = rows.fetch(
            """SELECT s.id, (SELECT range_agg(int4range(t.index, t.index + 1))::text FROM jobs_task t
                    WHERE t.stage_id = s.id AND t.state = %s),
                (SELECT range_agg(a.tasks)::text FROM jobs_savedstates a WHERE a.checkpoint_id = c.id AND a.stage_id = s.id)
            FROM jobs_checkpoint c JOIN jobs_stage s ON s.job_id = c.job_id WHERE c.id = %s ORDER BY s.position""",
            [int(TaskState.FINISHED), id_],
        )
        finished = {stage: IndexSet.from_multirange(ended or "{}") for stage, ended, _ in found}
        rows.execute(
            "UPDATE jobs_checkpoint SET finished = %s WHERE id = %s",
            [json.dumps([[stage, tasks.to_json()] for stage, tasks in finished.items() if tasks]), id_],
        )
        for stage, _, asked in found:
            _keep_others(id_, stage, finished[stage] | IndexSet.from_multirange(asked or "{}"))


def _keep_others(savepoint: int, stage: int, covered: IndexSet) -> None:
    kept = rows.fetch(
        f"""INSERT INTO jobs_savedstates (stage_id, checkpoint_id, tasks, digest, size, states, together, stored_at)
        SELECT s.stage_id, %(savepoint)s, s.tasks - %(covered)s::int4multirange, s.digest, s.size, s.states, s.together,
            s.stored_at
        FROM jobs_savedstates s {states.USABLE} AND NOT s.tasks <@ %(covered)s::int4multirange ORDER BY s.id
        RETURNING id, digest""",
        {"savepoint": savepoint, "stage": stage, "covered": covered.to_multirange()},
    )
    references.refer(Kind.STATE, [(id_, digest) for id_, digest in kept if digest])


def _manifest(savepoint: int) -> bytes:
    """Return what a savepoint is, as JSON: no secret, and nothing that is not found in its job and in storage."""
    ((job, number, name, taken, at, finished),) = rows.fetch(
        """SELECT j.id, j.number, j.name, c.number, c.ended_at, c.finished::text
        FROM jobs_checkpoint c JOIN jobs_job j ON j.id = c.job_id WHERE c.id = %s""",
        [savepoint],
    )
    ended = dict(json.loads(finished))
    kept: dict[int, list[dict[str, Any]]] = {}
    for stage, digest, size, tasks in rows.fetch(
        "SELECT stage_id, digest, size, tasks::text FROM jobs_savedstates WHERE checkpoint_id = %s ORDER BY id", [savepoint]
    ):
        told = {"tasks": IndexSet.from_multirange(tasks).to_json(), "size": size, "sha256": digest or None}
        kept.setdefault(stage, []).append(told)
    stages = [
        {"name": stage, "parallelism": tasks, "finished": ended.get(id_, []), "states": kept.get(id_, [])}
        for id_, stage, tasks in rows.fetch(
            "SELECT id, name, parallelism FROM jobs_stage WHERE job_id = %s ORDER BY position", [job]
        )
    ]
    told = {
        "format": FORMAT,
        "job": {"id": str(job), "number": number, "name": name},
        "savepoint": taken,
        "completed_at": at.isoformat(),
        "stages": stages,
    }
    return json.dumps(told, indent=1).encode()


def find(location: str) -> Savepoint | None:
    """Lock the savepoint at a location against its disposal, and return it."""
    return _read("c.location = %s", location)


def numbered(job: UUID, number: int) -> Savepoint | None:
    """Lock a savepoint of a job against its disposal, and return it."""
    return _read("c.job_id = %s AND c.number = %s", job, number)


def _read(condition: str, *values: object) -> Savepoint | None:
    found = rows.fetch(
        f"""SELECT c.id, c.number, c.job_id, j.number, c.location, c.manifest, c.finished::text
        FROM jobs_checkpoint c JOIN jobs_job j ON j.id = c.job_id
        WHERE c.is_savepoint AND c.manifest <> '' AND NOT c.discarded AND {condition} FOR UPDATE OF c""",
        list(values),
    )
    for id_, number, job, job_number, location, manifest, finished in found:
        ended = {stage: IndexSet.of(tasks) for stage, tasks in json.loads(finished)}
        return Savepoint(id_, number, job, job_number, location, manifest, ended)
    return None


def dispose(savepoint: int) -> None:
    """Delete what is kept of a savepoint."""
    rows.execute("UPDATE jobs_checkpoint SET discarded = true WHERE id = %s", [savepoint])
    states.retire([savepoint])


def jobs_with_savepoints(jobs: Collection[UUID]) -> set[UUID]:
    """Return which of these jobs have savepoints that are not disposed of."""
    found = rows.fetch(
        "SELECT DISTINCT job_id FROM jobs_checkpoint WHERE job_id = ANY(%s) AND is_savepoint AND NOT discarded", [list(jobs)]
    )
    return {job for (job,) in found}


SAVEPOINTS = SqlSavepoints()
