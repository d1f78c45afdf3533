"""Progress of stages, and the sums of data that their tasks report as read and written, as plain tuples."""

from typing import NamedTuple
from uuid import UUID

from database import rows

#: The metrics by which tasks tell what they read and wrote (docs/tasks.md).
FLOWS = ("read_bytes", "write_bytes", "read_records", "write_records")


class Progress(NamedTuple):
    """A stage; times are milliseconds since 1970, None for what has not happened; `counts` is indexed by TaskState."""

    id: int
    name: str
    tasks: int
    counts: tuple[int, ...]
    started: int | None
    ended: int | None


class Flow(NamedTuple):
    """The sum of one of FLOWS, and how many tasks run that have not reported it."""

    sum: int
    missing: int


Flows = tuple[Flow, Flow, Flow, Flow]
NOTHING: Flows = (Flow(0, 0),) * 4

_STAGES = """SELECT id, name, parallelism, counts, (date_part('epoch', started_at) * 1000)::bigint,
    (date_part('epoch', ended_at) * 1000)::bigint FROM jobs_stage WHERE job_id = %s"""
_NUMBER = "CASE WHEN jsonb_typeof(metrics -> '{0}') = 'number' THEN (metrics ->> '{0}')::numeric END"
_RUNS = "started_at IS NOT NULL AND ended_at IS NULL"
_TOLD = ", ".join(
    f"coalesce(trunc(sum({number})), 0), count(*) FILTER (WHERE {_RUNS} AND {number} IS NULL)"
    for number in map(_NUMBER.format, FLOWS)
)
_FLOWS = f"""SELECT stage_id, {_TOLD} FROM jobs_task WHERE stage_id = ANY(%s) GROUP BY 1"""


def stages(job: UUID) -> list[Progress]:
    """Return the stages of a job, by position: producers before their consumers."""
    return [_progress(*row) for row in rows.fetch(f"{_STAGES} ORDER BY position", [job])]


def stage(job: UUID, id_: int) -> Progress | None:
    """Return one stage of a job."""
    found = rows.fetch(f"{_STAGES} AND id = %s", [job, id_])
    return _progress(*found[0]) if found else None


def flows(stages: list[int]) -> dict[int, Flows]:
    """Return what the tasks of these stages read and wrote, by stage."""
    found = dict.fromkeys(stages, NOTHING)
    for stage, *told in rows.fetch(_FLOWS, [stages]):
        pairs = zip(told[::2], told[1::2], strict=True)
        read, wrote, records, written = (Flow(int(total), missing) for total, missing in pairs)
        found[stage] = (read, wrote, records, written)
    return found


def _progress(id_: int, name: str, tasks: int, counts: list[int], started: int | None, ended: int | None) -> Progress:
    return Progress(id_, name, tasks, tuple(counts), started, ended)
