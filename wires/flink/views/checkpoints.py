"""Checkpoints of a job."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import Rule
from jobs.commands import checkpoints as commands
from jobs.reading import checkpoints, operations
from switchyard.scheduling.lifecycle.operations import Kind
from wires.flink import decode, ids
from wires.flink.encode import checkpoints as encode
from wires.flink.encode import typed
from wires.flink.views.base import FlinkView, existing_job
from wires.reading import NotThere

#: Checkpoints that a job's history shows, as Flink does.
SHOWN = 10


class CheckpointsView(FlinkView):
    """The checkpoints of a job, and a new one."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER, "post": Role.OPERATOR}

    def post(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask for one now; the answer names what is to be polled."""
        decode.check_checkpoint(self.body())
        operation = commands.trigger(self.sender, existing_job(job))
        return self.told({"request-id": operation.hex}, status=HTTPStatus.ACCEPTED)

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Show how they stand, and the newest of them."""
        id_ = existing_job(job)
        found = checkpoints.overview(id_, SHOWN)
        if not found.history:
            _require_rule(id_)
        return self.told(encode.overview(found), typed=typed.checkpoints)


class TriggerView(FlinkView):
    """A checkpoint that somebody asked for."""

    def get(self, request: HttpRequest, job: str, trigger: str) -> HttpResponse:
        """Say whether it has ended, and how."""
        id_, key = existing_job(job), ids.to_trigger(trigger)
        found = operations.operation(UUID(key))
        if found is None or found["job_id"] != id_ or found["kind"] != Kind.CHECKPOINT:
            raise NotThere(f"Operation not found under key {key}")
        return self.told(encode.triggered(found))


class ConfigView(FlinkView):
    """How often a job has checkpoints."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell it."""
        return self.told(encode.config(_require_rule(existing_job(job))))


class CheckpointView(FlinkView):
    """One checkpoint."""

    def get(self, request: HttpRequest, job: str, checkpoint: str) -> HttpResponse:
        """Show it by vertex."""
        return self.told(encode.detail(_found(existing_job(job), checkpoint)), typed=typed.checkpoint)


class SubtasksView(FlinkView):
    """A vertex of one checkpoint."""

    def get(self, request: HttpRequest, job: str, checkpoint: str, vertex: str) -> HttpResponse:
        """Show it by subtask."""
        id_, stage_id = existing_job(job), ids.to_stage(vertex)
        found = _found(id_, checkpoint)
        stage = next((stage for stage in found["stages"] if stage["id"] == stage_id), None)
        if stage is None:
            raise NotThere(f"Checkpoint {checkpoint} has asked no task of the vertex {vertex}.")
        answers = checkpoints.answers(id_, found["number"], stage_id)
        return self.told(encode.subtasks(found, stage, answers or []), typed=typed.checkpoint_subtasks)


def _require_rule(job: UUID) -> Mapping[str, Any]:
    found = checkpoints.rule(job)
    if found is None:
        raise NotThere("Checkpointing has not been enabled.")
    return found


def _found(job: UUID, given: str) -> dict[str, Any]:
    found = checkpoints.checkpoint(job, ids.to_index("checkpointid", given))
    if found is None:
        _require_rule(job)
        raise NotThere(f"Could not find checkpointing statistics for checkpoint {given:.20}.")
    return found
