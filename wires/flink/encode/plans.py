"""A job's graph in the shape of Flink's dashboards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wires.flink import ids
from wires.flink.states import EXCHANGES, OPERATORS, SHIPPING

if TYPE_CHECKING:
    from jobs.reading.plans import Plan


def plan(job: str, name: str, stages: Sequence["Plan"]) -> dict[str, Any]:
    """Return the graph; consumers stand before what they read, as Flink has them."""
    return {"jid": ids.job_id(job), "name": name, "nodes": [_node(stage) for stage in reversed(stages)]}


def _node(stage: "Plan") -> dict[str, Any]:
    inputs = [
        {
            "num": number,
            "id": ids.vertex_id(each.stage),
            "ship_strategy": SHIPPING[each.exchange],
            "exchange": EXCHANGES[each.exchange],
        }
        for number, each in enumerate(stage.inputs)
    ]
    return {
        "id": ids.vertex_id(stage.id),
        "parallelism": stage.tasks,
        "operator": OPERATORS[stage.kind],
        "operator_strategy": "",
        "description": stage.name,
        **({"inputs": inputs} if inputs else {}),
        "optimizer_properties": {},
    }
