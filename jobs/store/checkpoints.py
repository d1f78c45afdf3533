"""The records of checkpoints in SQL (switchyard.scheduling.lifecycle.checkpoints.Checkpoints)."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from database import rows
from jobs.models import Checkpoint
from jobs.store import operations, savepoints, states
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import operations as operation_rules
from switchyard.scheduling.lifecycle.checkpoints import Due, Ended, Open, Running, Standing
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.spec.types import CheckpointRule

DEFAULT = CheckpointRule()
#: Checkpoints of a job that are remembered, though their states are deleted.
REMEMBERED = 100
#: The name of the failure of an operation whose checkpoint failed.
FAILED = "CheckpointFailed"
_IN_PROGRESS, _COMPLETED, _FAILED = map(int, Checkpoint.State)


class SqlCheckpoints:
    """Checkpoints and saved states as PostgreSQL has them."""

    def in_progress(self) -> list[Open]:
        """Lock and return the checkpoints in progress that have asked somebody."""
        found = rows.fetch(
            """SELECT c.id, c.job_id, j.state, extract(epoch FROM c.triggered_at)::float8,
                coalesce((j.spec -> 'checkpoint' ->> 'timeout')::float8, %s),
                coalesce((j.spec -> 'checkpoint' ->> 'keep')::int, %s), c.asked::text
            FROM jobs_checkpoint c JOIN jobs_job j ON j.id = c.job_id
            WHERE c.ended_at IS NULL AND c.asked IS NOT NULL ORDER BY c.id FOR UPDATE OF c""",
            [DEFAULT.timeout, DEFAULT.keep],
        )
        answered: dict[int, dict[int, IndexSet]] = defaultdict(dict)
        for checkpoint, stage, tasks in (
            rows.fetch(
                """SELECT checkpoint_id, stage_id, range_agg(tasks)::text FROM jobs_savedstates
                WHERE checkpoint_id = ANY(%s) GROUP BY 1, 2""",
                [[row[0] for row in found]],
            )
            if found
            else ()
        ):
            answered[checkpoint][stage] = IndexSet.from_multirange(tasks)
        return [
            Open(
                id_,
                job,
                JobState(state),
                triggered,
                timeout,
                keep,
                [(stage, attempt, IndexSet.of(ranges)) for stage, attempt, ranges in json.loads(asked)],
                answered[id_],
            )
            for id_, job, state, triggered, timeout, keep, asked in found
        ]

    def due(self, now: float) -> list[Due]:
        """Return the running jobs that are to have a checkpoint now.

        A time that has not come yet is of a clock that was set back since: it holds nothing up.
        """
        found = rows.fetch(
            """SELECT j.id, coalesce((j.spec -> 'checkpoint' ->> 'keep')::int, %s), c.id
            FROM jobs_checkpoint c JOIN jobs_job j ON j.id = c.job_id
            WHERE c.ended_at IS NULL AND c.asked IS NULL
            UNION ALL SELECT j.id, (rule ->> 'keep')::int, NULL
            FROM jobs_job j CROSS JOIN LATERAL (SELECT j.spec -> 'checkpoint' AS rule) AS checkpoint
            CROSS JOIN LATERAL (
                SELECT max(c.triggered_at) FILTER (WHERE c.is_periodic) AS triggered, max(c.ended_at) AS ended,
                    count(*) FILTER (WHERE c.ended_at IS NULL) AS open
                FROM jobs_checkpoint c WHERE c.job_id = j.id
            ) AS last CROSS JOIN LATERAL (
                SELECT %s - extract(epoch FROM coalesce(triggered, j.started_at))::float8 AS since_triggered,
                    %s - extract(epoch FROM coalesce(ended, j.started_at))::float8 AS since_ended
            ) AS since
            WHERE j.ended_at IS NULL AND j.spec ? 'checkpoint' AND j.state = %s AND j.held_reason = ''
                AND open < (rule ->> 'max_concurrent')::int
                AND NOT (since_triggered >= 0 AND since_triggered < (rule ->> 'interval')::float8)
                AND NOT (since_ended >= 0 AND since_ended < (rule ->> 'min_pause')::float8)""",
            [DEFAULT.keep, now, now, int(JobState.RUNNING)],
        )
        return [Due(*row) for row in found]

    def standings(self, tasks: Collection[tuple[int, IndexSet]]) -> list[Standing]:
        """Return where tasks of stages stand."""
        parts = [(stage, low, high) for stage, indexes in tasks for low, high in indexes.ranges]
        found = rows.fetch(
            """SELECT t.stage_id, s.name, t.index, t.attempt, t.state
            FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS asked(stage, low, high)
            JOIN jobs_task t ON t.stage_id = asked.stage AND t.index >= asked.low AND t.index < asked.high
            JOIN jobs_stage s ON s.id = t.stage_id""",
            rows.columns(parts, 3),
        )
        return [Standing(stage, name, index, attempt, TaskState(state)) for stage, name, index, attempt, state in found]

    def running(self, jobs: Collection[UUID]) -> Mapping[UUID, list[Running]]:
        """Return the tasks of jobs that run, as agents have reported."""
        running: dict[UUID, list[Running]] = defaultdict(list)
        for job, stage, attempt, tasks, session in rows.fetch(
            """SELECT s.job_id, a.stage_id, a.attempt, (a.started * a.listed)::text, a.session
            FROM jobs_assignment a JOIN jobs_stage s ON s.id = a.stage_id
            WHERE s.job_id = ANY(%s) AND s.ended_at IS NULL AND NOT a.recalled AND a.started && a.listed ORDER BY a.id""",
            [list(jobs)],
        ):
            running[job].append((stage, attempt, IndexSet.from_multirange(tasks), session))
        return running

    def count_open(self, job: UUID) -> int:
        """Return how many checkpoints of a job are in progress that people have asked for."""
        ((count,),) = rows.fetch(
            "SELECT count(*) FROM jobs_checkpoint WHERE job_id = %s AND ended_at IS NULL AND NOT is_periodic", [job]
        )
        return int(count)

    def request(self, job: UUID, operation: UUID, location: str = "") -> int:
        """Write a checkpoint that a person asks for, which asks nobody yet, and return its number.

        One with a location is a savepoint.
        """
        ((number,),) = rows.fetch(
            f"""INSERT INTO jobs_checkpoint (job_id, number, state, is_periodic, operation_id, tasks, answers, size, failure,
                discarded, triggered_at, is_savepoint, location)
            SELECT %s, coalesce(max(number), 0) + 1, {_IN_PROGRESS}, false, %s, 0, 0, 0, '', false, now(), %s, %s
            FROM jobs_checkpoint WHERE job_id = %s RETURNING number""",
            [job, operation, bool(location), location, job],
        )
        return int(number)

    def open(self, due: Due, asked: Sequence[tuple[int, int, IndexSet]]) -> int:
        """Write a checkpoint that asks these tasks, and return its id."""
        told = json.dumps([[stage, attempt, tasks.to_json()] for stage, attempt, tasks in asked])
        count = sum(len(tasks) for _, _, tasks in asked)
        if due.checkpoint is not None:
            rows.execute("UPDATE jobs_checkpoint SET asked = %s, tasks = %s WHERE id = %s", [told, count, due.checkpoint])
            return due.checkpoint
        ((id_,),) = rows.fetch(
            f"""INSERT INTO jobs_checkpoint
                (job_id, number, state, is_periodic, asked, tasks, answers, size, failure, discarded, triggered_at)
            SELECT %s, coalesce(max(number), 0) + 1, {_IN_PROGRESS}, true, %s, %s, 0, 0, '', false, now()
            FROM jobs_checkpoint WHERE job_id = %s RETURNING id""",
            [due.job, told, count, due.job],
        )
        return int(id_)

    def end(self, ended: Collection[Ended]) -> None:
        """Write the ends of checkpoints, and delete the states of those that are kept no longer."""
        values = ((each.id, _FAILED if each.failure else _COMPLETED, each.failure, each.job, each.keep) for each in ended)
        ids, outcomes, failures, jobs, keeps = rows.columns(values, 5)
        requested = rows.fetch(
            """UPDATE jobs_checkpoint c SET state = told.state, failure = told.failure, ended_at = now(),
                discarded = told.failure <> '', answers = coalesce(saved.answers, 0), size = coalesce(saved.size, 0)
            FROM unnest(%s::bigint[], %s::smallint[], %s::text[]) AS told(id, state, failure)
            LEFT JOIN LATERAL (
                SELECT sum(stage.size) AS size,
                    sum((SELECT sum(upper(r) - lower(r)) FROM unnest(stage.tasks) r)) AS answers
                FROM (
                    SELECT sum(size) AS size, range_agg(tasks) AS tasks FROM jobs_savedstates
                    WHERE checkpoint_id = told.id GROUP BY stage_id
                ) AS stage
            ) saved ON true
            WHERE c.id = told.id RETURNING c.id, c.operation_id, c.number, c.failure, c.is_savepoint""",
            [ids, outcomes, failures],
        )
        # A savepoint that is whole has its manifest to be written yet.
        savepoints.complete([id_ for id_, _, _, failure, is_savepoint in requested if is_savepoint and not failure])
        operations.end(
            [
                _operation(operation, number, failure)
                for _, operation, number, failure, is_savepoint in requested
                if operation and (failure or not is_savepoint)
            ]
        )
        old = rows.fetch(
            f"""UPDATE jobs_checkpoint c SET discarded = true FROM (
                SELECT c.id, row_number() OVER (PARTITION BY c.job_id ORDER BY c.number DESC) AS place, told.keep
                FROM (SELECT DISTINCT job, keep FROM unnest(%s::uuid[], %s::int[]) AS each(job, keep)) AS told
                JOIN jobs_checkpoint c ON c.job_id = told.job
                WHERE c.state = {_COMPLETED} AND NOT c.discarded AND NOT c.is_savepoint
            ) AS ranked WHERE c.id = ranked.id AND ranked.place > ranked.keep AND NOT EXISTS (
                SELECT 1 FROM jobs_stage stage JOIN jobs_job j ON j.id = stage.job_id
                WHERE j.id = c.job_id AND stage.ended_at IS NULL AND {states.TOGETHER} AND c.id = {states.NEWEST_WHOLE}
            ) RETURNING c.id""",
            [jobs, keeps],
        )
        states.discard([each.id for each in ended if each.failure])
        states.retire([id_ for (id_,) in old])
        rows.execute(
            """DELETE FROM jobs_checkpoint c USING (
                SELECT told.job, max(c.number) AS last FROM unnest(%s::uuid[]) AS told(job)
                JOIN jobs_checkpoint c ON c.job_id = told.job GROUP BY 1
            ) AS newest WHERE c.job_id = newest.job AND c.number <= newest.last - %s AND c.discarded""",
            [jobs, REMEMBERED],
        )


def _operation(id_: UUID, number: int, failure: str) -> operation_rules.Ended:
    if failure:
        return operation_rules.Ended(id_, failure=operation_rules.Failure(FAILED, f"Checkpoint {number}: {failure}."))
    return operation_rules.Ended(id_, outcome={"checkpoint": number})


CHECKPOINTS = SqlCheckpoints()
