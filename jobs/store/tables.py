"""Read the rows of the main path: columns and conversions of each value."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, StageRow
from switchyard.scheduling.lifecycle.states import Intent, JobState
from switchyard.scheduling.spec.types import Constraint, Op

STAGE_COLUMNS = """s.id, s.job_id, s.parallelism, s.open_needs, s.feeds_pointwise, s.unplaced::text, s.blocked::text,
    s.delayed::text, s.spent::text, s.done::text, s.counts, s.run_seconds, s.demand::text, s.started_at IS NOT NULL,
    s.ended_at IS NOT NULL,
    coalesce(s.spec ->> 'python', s.spec ->> 'command'), s.name, extract(epoch FROM s.next_due)::float8,
    coalesce((s.spec ->> 'gang')::bool, false), s.buffered, s.avoided::text,
    coalesce(s.spec -> 'outputs', '{}') <> '{}'"""
STAGE_WIDTH = 22
JOB_COLUMNS = """j.id, j.state, j.stages_total, j.stages_ended, j.failures, j.max_failures, j.started_at IS NOT NULL,
    (j.spec -> 'retry')::text, j.number, j.intent"""
ASSIGNMENT_COLUMNS = """id, node_id, session, entry, stage_id, attempt, demand::text, after::text, listed::text, held::text,
    started::text, recalled, pause"""


def read_stage(row: Sequence[Any]) -> StageRow:
    """Make a StageRow of STAGE_COLUMNS."""
    values = list(row[:STAGE_WIDTH])
    values[5:10] = map(IndexSet.from_multirange, values[5:10])
    values[12] = read_demand(values[12])
    return StageRow(*values)


def read_job(row: Sequence[Any]) -> JobRow:
    """Make a JobRow of JOB_COLUMNS."""
    values = list(row)
    values[1], values[9] = JobState(values[1]), Intent(values[9])
    return JobRow(*values)


def read_assignment(row: Sequence[Any]) -> AssignmentRow:
    """Make an AssignmentRow of ASSIGNMENT_COLUMNS."""
    values = list(row)
    values[6] = read_demand(values[6])
    values[7] = json.loads(values[7]) if values[7] != "[]" else []
    values[8:11] = map(IndexSet.from_multirange, values[8:11])
    return AssignmentRow(*values)


def read_constraints(stored: str | list[dict[str, Any]] | None) -> tuple[Constraint, ...]:
    """Read a job's stored constraints on node labels."""
    data = json.loads(stored) if isinstance(stored, str) else stored
    return tuple(Constraint(item["label"], Op(item["op"]), tuple(item["values"])) for item in data or ())


@lru_cache(maxsize=1024)
def read_demand(text: str) -> dict[str, int]:
    """Read a demand. All rows that say the same share it, so nobody may change it."""
    demand: dict[str, int] = json.loads(text)
    return demand
