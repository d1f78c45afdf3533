"""Whether what is referred to is stored, and whether what is not has gone (I16)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from artifacts import collection, references
from artifacts.kinds import Kind
from database import rows
from jobs.store.files import KEPT

#: Artifacts go some time after they may: the leader looks once an hour.
LATE = timedelta(hours=2)


def wrongly_kept(now: datetime) -> Iterator[str]:
    """Yield what is wrong between artifacts, references and jobs."""
    for digest, kind, referrer in collection.lost():
        yield f"the artifact {digest} is not stored, and the {kind} {referrer} refers to it"
    results = rows.fetch(
        f"SELECT DISTINCT s.job_id, kept.digest FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id {KEPT} "
        "WHERE t.result_digest IS NOT NULL OR t.files IS NOT NULL"
    )
    for job, digest in references.missing(Kind.JOB, results):
        yield f"the artifact {digest} is a result or a file of the job {job}, and no reference says so"
    saved = rows.fetch("SELECT id, digest FROM jobs_savedstates WHERE digest <> ''")
    for states, digest in references.missing(Kind.STATE, saved):
        yield f"the artifact {digest} holds the saved states {states}, and no reference says so"
    for gone in sorted({*references.referrers(Kind.STATE)} - {str(id_) for id_, _ in saved}):
        yield f"artifacts are kept for the saved states {gone}, which are gone"
    jobs = {str(id_) for (id_,) in rows.fetch("SELECT id FROM jobs_job")}
    for job in sorted({*references.referrers(Kind.JOB)} - jobs):
        yield f"artifacts are kept for the job {job}, which is gone"
    for digest in collection.unreferenced(now - collection.GRACE - LATE):
        yield f"the artifact {digest} is stored, and nothing has referred to it for a day"
