"""What is stored of checkpoints and states, by both adapters in the same shape."""

import json
from collections.abc import Iterable
from typing import Any

from jobs.models import Checkpoint, SavedStates
from jobs.store import states
from switchyard.scheduling.indexes import IndexSet
from switchyard.simulation.memory.store import Store


def in_sql() -> dict[str, Any]:
    """Return what PostgreSQL has."""
    return {
        "checkpoints": {
            (c.job_id, c.number): (*_told(c, c.operation_id), [_saved(s) for s in c.saved_states.order_by("id")])
            for c in Checkpoint.objects.all()
        },
        "saved": [_saved(s) for s in SavedStates.objects.filter(checkpoint=None).order_by("id")],
    }


def in_memory(store: Store) -> dict[str, Any]:
    """Return what memory has."""
    every = store.saved_states.values()
    return {
        "checkpoints": {
            (c.job, c.number): (*_told(c, c.operation), [_saved(s) for s in every if s.checkpoint == c.id])
            for c in store.checkpoints.values()
        },
        "saved": [_saved(s) for s in every if s.checkpoint is None],
    }


def kept(found: Any) -> list[tuple[int, int, int]]:
    """Return some states that tasks go on from."""
    told = found.states if isinstance(found, states.Kept) else found[1]
    return [(each.index, each.attempt, each.size) for each in told]


def _told(checkpoint: Any, operation: object) -> tuple[Any, ...]:
    asked = None if checkpoint.asked is None else _asked(checkpoint.asked)
    ended = checkpoint.ended_at is not None
    return operation is not None, asked, checkpoint.answers, checkpoint.failure, checkpoint.discarded, ended


def _asked(asked: Iterable[Any]) -> list[Any]:
    """Return the tasks that a checkpoint asks, as the database has them."""
    found = [(stage, attempt, tasks.to_json() if isinstance(tasks, IndexSet) else tasks) for stage, attempt, tasks in asked]
    return sorted(found, key=lambda part: part[:2])


def _saved(saved: Any) -> tuple[Any, ...]:
    stage = saved.stage_id if isinstance(saved, SavedStates) else saved.stage
    told = states.read(json.dumps(saved.states)) if isinstance(saved, SavedStates) else saved.states
    return stage, saved.tasks.to_multirange(), [(each.index, each.attempt, each.size) for each in told]
