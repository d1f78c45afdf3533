"""Check that the reported output of attempts is stored (I15). Output arrives a little later than its report."""

from artifacts.logs import LogKey, Stream, logs
from database import rows

#: Seconds after the end of a job within which its output has arrived.
LATE = 60


def missing_output() -> list[tuple[int, int, int, str, int, int]]:
    """Return the streams of ended jobs' attempts of which not all is stored.

    Each is (stage, index, attempt, stream, bytes reported, bytes stored). What the cap has cut off counts as stored.
    """
    reported = rows.fetch(
        """SELECT r.stage_id, r.index, r.attempt, l.key, (l.value ->> 'bytes')::bigint FROM (
            SELECT stage_id, index, attempt, logs FROM jobs_task WHERE logs IS NOT NULL
            UNION ALL SELECT stage_id, index, attempt, logs FROM jobs_attempt WHERE logs IS NOT NULL
        ) r JOIN jobs_stage s ON s.id = r.stage_id JOIN jobs_job j ON j.id = s.job_id
        CROSS JOIN LATERAL jsonb_each(r.logs) AS l WHERE j.ended_at < now() - %s * interval '1 second'""",
        [LATE],
    )
    found = []
    for stage, index, attempt, stream, size in reported:
        stored = logs().size(LogKey(stage, index, attempt, Stream(stream)))
        if stored < size:
            found.append((stage, index, attempt, stream, size, stored))
    return found
