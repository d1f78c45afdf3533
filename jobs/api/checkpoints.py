"""Checkpoints of a job: when the states of its tasks were saved together, and what came of it."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled, identity_of
from access.roles import Role
from jobs.api.finding import LARGEST_INDEX, found_job
from jobs.api.serializers import shaped
from jobs.commands import checkpoints as commands
from jobs.models import Checkpoint
from jobs.reading import checkpoints

CHECKPOINT_STATES = list(checkpoints.STATES)


class CheckpointSerializer(serializers.Serializer[Any]):
    """The states of a job's running tasks, saved together; `finished` tasks of a completed one had ended.

    A savepoint has a location.
    """

    number = serializers.IntegerField()
    state = serializers.ChoiceField(CHECKPOINT_STATES)
    periodic = serializers.BooleanField()
    operation = serializers.UUIDField(allow_null=True)
    tasks = serializers.IntegerField()
    answered = serializers.IntegerField()
    finished = serializers.IntegerField()
    size = serializers.IntegerField()
    failure = serializers.CharField()
    discarded = serializers.BooleanField()
    savepoint = serializers.BooleanField()
    location = serializers.CharField()
    triggered_at = serializers.DateTimeField()
    last_answer_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class CheckpointStageSerializer(serializers.Serializer[Any]):
    """What the tasks of a stage have answered; null once the checkpoint is discarded."""

    name = serializers.CharField()
    tasks = serializers.IntegerField()
    answered = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    last_answer_at = serializers.DateTimeField(allow_null=True)


class CheckpointInFullSerializer(CheckpointSerializer):
    """A checkpoint with the stages of which it asks tasks."""

    stages = CheckpointStageSerializer(many=True)


class CheckpointFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """Narrow a list of checkpoints."""

    state = django_filters.ChoiceFilter(method="by_state", choices=[(state, state) for state in checkpoints.STATES])

    class Meta:
        model = Checkpoint
        fields: tuple[str, ...] = ()

    def by_state(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(state=Checkpoint.State[value])


class CheckpointViewSet(Ruled, GenericViewSet[Any]):
    """The checkpoints of a job."""

    rules = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "destroy": Role.OPERATOR}
    serializer_class = CheckpointSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = CheckpointFilter
    ordering = ("-number",)
    lookup_url_kwarg = "checkpoint"
    lookup_value_regex = "[^/]+"
    queryset = Checkpoint.objects.none()

    def list(self, request: Request, job: str) -> Response:
        """List the checkpoints of a job, newest first."""
        page = self.paginate_queryset(self.filter_queryset(checkpoints.checkpoints(found_job(job)))) or []
        return self.get_paginated_response([shaped(CheckpointSerializer, row) for row in checkpoints.complete(page)])

    @extend_schema(responses=CheckpointInFullSerializer)
    def retrieve(self, request: Request, job: str, checkpoint: str) -> Response:
        """Show a checkpoint, by the stages of which it has asked tasks."""
        id_, number = found_job(job), _number(checkpoint)
        found = checkpoints.checkpoint(id_, number)
        if found is None:
            raise NotFound(f"The job has no checkpoint {checkpoint:.20}.")
        return Response(shaped(CheckpointInFullSerializer, found))

    def destroy(self, request: Request, job: str, checkpoint: str) -> Response:
        """Dispose of a savepoint; jobs that started from it go on."""
        commands.disposed(identity_of(request), found_job(job), _number(checkpoint))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _number(text: str) -> int:
    """Return the number of a checkpoint; 0, which none has, for what is no number."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if number <= LARGEST_INDEX else 0
