"""Descriptions: what agents are told of stages, and of what their tasks are given."""

from typing import Any

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TaskState
from switchyard.scheduling.spec.parsing import to_json
from switchyard.scheduling.spec.types import StageSpec
from switchyard.simulation.memory.store import Store


def describe(store: Store, stage: int, spec: StageSpec) -> dict[str, Any]:
    """Return what agents are told of a stage: how its tasks run, and what others have given so far."""
    row = store.stages[stage].row
    items = store.items.get(stage)
    return {
        "job": str(row.job_id),
        "name": row.name,
        "parallelism": row.parallelism,
        "spec": {
            "python": row.call,
            "timeout": spec.timeout,
            "grace": spec.grace,
            **({"environment": to_json(spec.environment)} if spec.environment else {}),
            "files_digest": None,
            "foreach": None if items is None else True,
        },
        "items": {str(index): item for index, item in enumerate(items or ())},
        "disconnect_grace": store.jobs[row.job_id].disconnect_grace,
        "inputs": [_input(store, edge.producer, edge.exchange.value) for edge in store.edges if edge.consumer == stage],
    }


def outcomes(store: Store, producer: int, tasks: IndexSet) -> dict[str, Any]:
    """Return what some tasks of a stage have given, and which of them will give nothing."""
    draining = store.jobs[store.stages[producer].row.job_id].row.draining
    told: dict[str, list[Any]] = {"given": [], "failed": [], "left_out": []}
    for index in tasks:
        task = store.tasks.get((producer, index))
        if task and task.state == TaskState.FINISHED:
            told["given"].append([index, task.result or "null"])
        elif task and task.state in TASK_ENDS:
            without = "left_out" if draining and task.state == TaskState.CANCELED else "failed"
            told[without].append([index, index + 1])
    return told


def _input(store: Store, producer: int, exchange: str) -> dict[str, Any]:
    row = store.stages[producer].row
    told = {"stage": producer, "name": row.name, "parallelism": row.parallelism, "exchange": exchange}
    given = outcomes(store, producer, IndexSet.span(0, row.parallelism))
    return {**told, **given, **({"gang": True} if row.gang else {})}
