"""Checkpoints of a job: when the states of its tasks were saved together, and what came of it."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled
from access.roles import Role
from jobs.api.finding import LARGEST_INDEX, found_job
from jobs.api.serializers import CheckpointInFullSerializer, CheckpointSerializer, shaped
from jobs.models import Checkpoint
from jobs.reading import checkpoints


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

    rules = {"list": Role.VIEWER, "retrieve": Role.VIEWER}
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
        id_ = found_job(job)
        number = int(checkpoint) if checkpoint.isascii() and checkpoint.isdigit() and len(checkpoint) <= 10 else 0
        found = checkpoints.checkpoint(id_, number) if number <= LARGEST_INDEX else None
        if found is None:
            raise NotFound(f"The job has no checkpoint {checkpoint:.20}.")
        return Response(shaped(CheckpointInFullSerializer, found))
