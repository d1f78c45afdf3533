"""Operations: requests that take their time, to be polled."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled
from access.roles import Role
from jobs.api.filters import job_named
from jobs.api.serializers import OperationSerializer, shaped
from jobs.commands import planning
from jobs.drawing import job_graph
from jobs.models import Operation
from jobs.reading import operations, programs
from switchyard.scheduling.lifecycle.operations import Kind


class OperationFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """Narrow a list of operations."""

    job = django_filters.CharFilter(method="by_job", max_length=40)
    kind = django_filters.ChoiceFilter("kind", choices=[(kind.value, kind.value) for kind in Kind])
    state = django_filters.ChoiceFilter(method="by_state", choices=[(state, state) for state in operations.STATES])

    class Meta:
        model = Operation
        fields: tuple[str, ...] = ()

    def by_job(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(job_id=job_named(value))

    def by_state(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(ended_at__isnull=value == operations.IN_PROGRESS)


class OperationViewSet(Ruled, GenericViewSet[Any]):
    """What was asked for and takes its time."""

    rules = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "plan_svg": Role.VIEWER}
    serializer_class = OperationSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = OperationFilter
    ordering = ("-number",)
    lookup_url_kwarg = "operation"
    lookup_value_regex = "[^/]+"
    queryset = operations.operations()

    def list(self, request: Request) -> Response:
        """List operations, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response([shaped(OperationSerializer, row) for row in operations.shown(page)])

    @extend_schema(responses=OperationSerializer)
    def retrieve(self, request: Request, operation: str) -> Response:
        """Show an operation; a plan with the description that it has ended with."""
        return Response(shaped(OperationSerializer, _found(operation)))

    @extend_schema(responses={(200, "image/svg+xml"): str})
    @action(detail=True, url_path=r"plan\.svg")
    def plan_svg(self, request: Request, operation: str) -> HttpResponse:
        """Draw the graph of the job that a plan has ended with."""
        found = _found(operation)
        if found["kind"] != Kind.PLAN or not found["outcome"]:
            raise NotFound(f"The operation {operation:.60} has no plan.")
        spec = planning.checked(found["outcome"]["description"])
        return job_graph.drawn_response(programs.drawn(programs.plans(spec)))


def _found(operation: str) -> dict[str, Any]:
    found = operations.operation(_id(operation))
    if found is None:
        raise _no_operation(operation)
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _no_operation(text) from None


def _no_operation(text: str) -> NotFound:
    return NotFound(f"There is no operation {text:.60}.")
