"""Programs as they are shown, found by id, by `id_name`, or by name: then the newest."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from jobs.models import Program
from jobs.reading.plans import Input, Plan
from switchyard.programs.inspecting import Inspected
from switchyard.scheduling.spec import JobSpec

_ID = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:_.*)?", re.DOTALL)


def programs() -> QuerySet[Program]:
    """Return the programs, newest first."""
    return Program.objects.order_by("-number")


def program(key: str) -> Program | None:
    """Return the program that a key names."""
    named = _ID.fullmatch(key)
    found = programs().filter(id=UUID(named[1])) if named else programs().filter(name=key)
    return found.first()


def shown(found: Program) -> dict[str, Any]:
    """Return a program with its entry points."""
    return {
        "id": found.id,
        "name": found.name,
        "digest": found.digest,
        "size": found.size,
        "entries": entries(found),
        "fault": found.fault,
        "uploaded_by": found.uploaded_by,
        "uploaded_at": found.uploaded_at,
    }


def entries(found: Program) -> list[dict[str, Any]]:
    """Return the entry points of a program, the default one first."""
    return Inspected(found.manifest, found.main_class).entries


def plans(spec: JobSpec) -> list[Plan]:
    """Return the stages that a job would have, producers first; their ids count from 1."""
    stages = spec.in_order()
    ids = {stage.name: number for number, stage in enumerate(stages, 1)}
    tasks = {stage.name: stage.tasks or 0 for stage in stages}
    return [
        Plan(
            ids[stage.name],
            position,
            stage.name,
            "READY" if not stage.upstreams else "WAITING",
            "command" if stage.python is None else "python",
            stage.python or (stage.command if isinstance(stage.command, str) else " ".join(stage.command or ())),
            stage.gang,
            stage.foreach is not None,
            tasks[stage.name],
            0,
            False,
            0.0,
            tuple(
                Input(ids[need.stage], ids[need.stage] - 1, tasks[need.stage], need.exchange.value)
                for need in stage.upstreams
            ),
        )
        for position, stage in enumerate(stages)
    ]


def drawn(stages: Sequence[Plan]) -> list[dict[str, Any]]:
    """Return stages as the drawing of a job takes them."""
    names = {stage.id: stage.name for stage in stages}
    return [
        {
            "id": stage.id,
            "name": stage.name,
            "state": stage.state,
            "tasks": {"FINISHED": 0, "FAILED": 0, "total": stage.tasks},
            "needs": [{"stage": names[each.stage], "exchange": each.exchange} for each in stage.inputs],
        }
        for stage in stages
    ]
