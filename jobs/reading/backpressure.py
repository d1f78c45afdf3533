"""Back-pressure: tasks that full buffers block now, and the share of the last minute in which they were blocked."""

from typing import NamedTuple
from uuid import UUID

from database import rows
from jobs.store.graph import read_let_through
from jobs.store.pointwise import overlaps
from switchyard.scheduling.buffering import Mark, fed_alone, held_share
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE


class Held(NamedTuple):
    """Tasks of a stage that could run but for buffers, the stages whose buffers these are, and the smallest of them."""

    tasks: int
    consumers: tuple[str, ...]
    buffer: int


#: Of each stage that gives to a buffer: what waits, to whom it gives, and what of its pointwise inputs is there.
_HELD = """SELECT s.id, s.parallelism, s.unplaced::text, s.blocked::text, e.consumers, e.buffer, i.widths, i.done
    FROM (
        SELECT e.producer_id, array_agg(c.name ORDER BY c.position) AS consumers, min(e.buffer) AS buffer
        FROM jobs_edge e JOIN jobs_stage c ON c.id = e.consumer_id
        WHERE e.job_id = %s AND e.buffer IS NOT NULL GROUP BY e.producer_id
    ) e JOIN jobs_stage s ON s.id = e.producer_id JOIN jobs_job j ON j.id = s.job_id CROSS JOIN LATERAL (
        SELECT array_agg(p.parallelism) AS widths, array_agg(p.done::text) AS done
        FROM jobs_edge n JOIN jobs_stage p ON p.id = n.producer_id WHERE n.consumer_id = s.id AND n.exchange = 'pointwise'
    ) i WHERE s.ended_at IS NULL AND s.open_needs = 0 AND j.state = ANY(%s)"""
_SECONDS = "date_part('epoch', {0})"
_READY = f"""SELECT s.let_through::text, min(e.buffer), {_SECONDS.format("greatest(j.created_at, r.ended)")}, r.pointwise
    FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id JOIN jobs_edge e ON e.producer_id = s.id AND e.buffer IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT max(p.ended_at) FILTER (WHERE n.exchange = 'all') AS ended,
            coalesce(bool_or(n.exchange = 'pointwise'), false) AS pointwise
        FROM jobs_edge n JOIN jobs_stage p ON p.id = n.producer_id WHERE n.consumer_id = s.id
    ) r WHERE s.id = %s GROUP BY s.id, j.id, r.ended, r.pointwise"""
#: When the last pointwise input of each task was there; a task of which one is missing is not told of.
_INPUTS = f"""SELECT c.index, {_SECONDS.format("max(i.ended)")} FROM jobs_stage s
    JOIN jobs_edge n ON n.consumer_id = s.id AND n.exchange = 'pointwise' JOIN jobs_stage p ON p.id = n.producer_id
    CROSS JOIN generate_series(0, s.parallelism - 1) AS c(index) CROSS JOIN LATERAL (
        SELECT max(t.ended_at) AS ended, bool_and(t.ended_at IS NOT NULL) AS whole FROM jobs_task t
        WHERE t.stage_id = p.id AND {overlaps("c.index", "s.parallelism", "t.index", "p.parallelism")}
    ) i WHERE s.id = %s GROUP BY c.index HAVING bool_and(i.whole)"""


def held_back(job: UUID) -> dict[int, Held]:
    """Return what buffers hold back now of a job's stages."""
    found = {}
    values = [job, [int(state) for state in JOB_STARTABLE]]
    for id_, width, unplaced, blocked, consumers, buffer, widths, done in rows.fetch(_HELD, values):
        held = IndexSet.from_multirange(unplaced) & IndexSet.from_multirange(blocked)
        for inputs, there in zip(widths or (), done or (), strict=True):
            held &= fed_alone(IndexSet.from_multirange(there), inputs, width)
        if held:
            found[id_] = Held(len(held), tuple(consumers), buffer)
    return found


def held_shares(stage: int, tasks: int, *, now: float) -> list[float]:
    """Return for each task of a stage for which share of the last minute a buffer held it back; nothing if it has none."""
    for text, buffer, opened, pointwise in rows.fetch(_READY, [stage]):
        marks = [Mark(0.0, buffer), *(Mark(*mark) for mark in read_let_through(text))]
        inputs = dict(rows.fetch(_INPUTS, [stage])) if pointwise else dict.fromkeys(range(tasks), opened)
        return [held_share(marks, task, ready=max(opened, inputs.get(task, now)), now=now) for task in range(tasks)]
    return []
