"""Write the changes of a unit of work: one statement for each table, whatever the number of rows."""

import json

from database import rows
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, Room, StageRow
from switchyard.scheduling.lifecycle.states import JOB_ENDS


def write_stages(stages: list[StageRow]) -> None:
    if not stages:
        return
    values = rows.columns(
        (
            (
                stage.id,
                stage.open_needs,
                stage.unplaced.to_multirange(),
                stage.blocked.to_multirange(),
                stage.delayed.to_multirange(),
                stage.spent.to_multirange(),
                stage.done.to_multirange(),
                stage.next_due,
                stage.parallelism,
                "{" + ",".join(map(str, stage.counts)) + "}",
                stage.run_seconds,
                stage.started,
                stage.since,
                stage.ended,
            )
            for stage in stages
        ),
        14,
    )
    rows.execute(
        """UPDATE jobs_stage s SET open_needs = c.open_needs, unplaced = c.unplaced::int4multirange,
            blocked = c.blocked::int4multirange, delayed = c.delayed::int4multirange, spent = c.spent::int4multirange,
            done = c.done::int4multirange, next_due = to_timestamp(c.next_due), parallelism = c.parallelism,
            counts = c.counts::int[], run_seconds = c.run_seconds,
            started_at = CASE WHEN c.started THEN coalesce(s.started_at, now() - c.since * interval '1 microsecond') END,
            ended_at = CASE WHEN c.ended THEN coalesce(
                s.ended_at, (SELECT max(t.ended_at) FROM jobs_task t WHERE t.stage_id = s.id), now()) END
        FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::float8[], %s::int[], %s::text[], %s::float8[], %s::bool[], %s::bigint[], %s::bool[])
            AS c(id, open_needs, unplaced, blocked, delayed, spent, done, next_due, parallelism, counts, run_seconds, started,
                since, ended)
        WHERE s.id = c.id""",
        values,
    )


def write_jobs(jobs: list[JobRow]) -> None:
    if not jobs:
        return
    values = rows.columns(
        (
            (
                job.id,
                int(job.state),
                int(job.intent),
                job.stages_ended,
                job.failures,
                job.error,
                job.started,
                job.since,
                job.state in JOB_ENDS,
            )
            for job in jobs
        ),
        9,
    )
    rows.execute(
        """UPDATE jobs_job j SET state = c.state, intent = c.intent, stages_ended = c.stages_ended, failures = c.failures,
            error = CASE WHEN j.error = '' THEN c.error ELSE j.error END,
            started_at = CASE WHEN c.started THEN coalesce(j.started_at, greatest(j.created_at,
                now() - c.since * interval '1 microsecond')) END,
            suspended_seconds = CASE WHEN c.started AND j.started_at IS NULL THEN 0 ELSE j.suspended_seconds END,
            ended_at = CASE WHEN c.ended THEN coalesce(j.ended_at, now()) END
        FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::int[], %s::int[], %s::text[], %s::bool[],
            %s::bigint[], %s::bool[]) AS c(id, state, intent, stages_ended, failures, error, started, since, ended)
        WHERE j.id = c.id""",
        values,
    )


def write_assignments(assignments: list[AssignmentRow]) -> None:
    if not assignments:
        return
    values = rows.columns(
        (
            (a.id, a.listed.to_multirange(), a.held.to_multirange(), a.started.to_multirange(), a.waiting, a.recalled)
            for a in assignments
        ),
        6,
    )
    rows.execute(
        """UPDATE jobs_assignment a SET listed = c.listed::int4multirange, held = c.held::int4multirange,
            started = c.started::int4multirange, waiting = c.waiting, recalled = c.recalled
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bool[])
            AS c(id, listed, held, started, waiting, recalled)
        WHERE a.id = c.id""",
        values,
    )


def insert_assignments(assignments: list[AssignmentRow]) -> None:
    if not assignments:
        return
    values = rows.columns(
        (
            (
                a.node,
                a.session,
                a.entry,
                a.stage,
                a.attempt,
                json.dumps(a.demand),
                json.dumps(a.after),
                a.listed.to_multirange(),
                a.held.to_multirange(),
                a.waiting,
                a.pause,
            )
            for a in assignments
        ),
        11,
    )
    ids = rows.fetch(
        """INSERT INTO jobs_assignment
            (node_id, session, entry, stage_id, attempt, demand, after, listed, held, started, waiting, recalled, pause,
            placed_at)
        SELECT c.node_id, c.session, c.entry, c.stage_id, c.attempt, c.demand::jsonb, c.after::jsonb,
            c.listed::int4multirange, c.held::int4multirange, '{}', c.waiting, false, c.pause, now()
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::int[], %s::bigint[])
            AS c(node_id, session, entry, stage_id, attempt, demand, after, listed, held, waiting, pause)
        RETURNING id, node_id, entry""",
        values,
    )
    known = {(node, entry): id_ for id_, node, entry in ids}
    for assignment in assignments:
        assignment.id = known[assignment.node, assignment.entry]


def delete_assignments(ids: list[int]) -> None:
    if ids:
        rows.execute("DELETE FROM jobs_assignment WHERE id = ANY(%s)", [ids])


def write_rooms(rooms: dict[int, Room]) -> None:
    if not rooms:
        return
    values = rows.columns(
        ((node, name, room.capacity[name], room.held[name]) for node, room in rooms.items() for name in room.capacity),
        4,
    )
    rows.execute(
        """UPDATE nodes_noderesource r SET capacity = c.capacity, held = c.held
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS c(node_id, name, capacity, held)
        WHERE r.node_id = c.node_id AND r.name = c.name""",
        values,
    )
