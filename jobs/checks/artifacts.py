"""Whether what is referred to is stored, and whether what is not has gone (I16)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from artifacts import collection, references
from artifacts.kinds import Kind
from database import rows
from jobs.store.files import KEPT

#: Artifacts go some time after they may: the leader looks once an hour.
LATE = timedelta(hours=2)
#: The kinds of referrers, each with its table, and a query for what must be kept: (id of the referrer, digest).
_KINDS = (
    (
        Kind.JOB,
        "jobs_job",
        f"""SELECT DISTINCT s.job_id, kept.digest FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id {KEPT}
            WHERE t.result_digest IS NOT NULL OR t.files IS NOT NULL
        UNION SELECT job_id, spec -> 'program' ->> 'digest' FROM jobs_stage WHERE spec ? 'program'""",
    ),
    (Kind.STATE, "jobs_savedstates", "SELECT id, digest FROM jobs_savedstates WHERE digest <> ''"),
    (Kind.PROGRAM, "jobs_program", "SELECT id, digest FROM jobs_program"),
)


def wrongly_kept(now: datetime) -> Iterator[str]:
    """Yield what is wrong between artifacts, references and jobs."""
    for digest, kind, referrer in collection.lost():
        yield f"the artifact {digest} is not stored, and the {kind} {referrer} refers to it"
    for kind, known, kept in _KINDS:
        for referrer, digest in references.missing(kind, rows.fetch(kept)):
            yield f"the artifact {digest} is kept for the {kind} {referrer}, and no reference says so"
        there = {str(id_) for (id_,) in rows.fetch(f"SELECT id FROM {known}")}
        for referrer in sorted({*references.referrers(kind)} - there):
            yield f"artifacts are kept for the {kind} {referrer}, which is gone"
    for digest in collection.unreferenced(now - collection.GRACE - LATE):
        yield f"the artifact {digest} is stored, and nothing has referred to it for a day"
