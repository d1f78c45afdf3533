"""Stages of a job, and all results of one."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled
from access.roles import Role
from jobs.api.finding import found_job, found_stage, no_stage
from jobs.api.serializers import ResultsSerializer, StageInFullSerializer, StageSerializer, shaped
from jobs.models import Stage
from jobs.reading.results import stage_results
from jobs.reading.stages import complete_stages, stage, stages_of


class StageViewSet(Ruled, GenericViewSet[Any]):
    """The nodes of a job's DAG."""

    rules = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "results": Role.VIEWER}
    serializer_class = StageSerializer
    queryset = Stage.objects.none()
    ordering = ("position",)
    lookup_url_kwarg = "stage"
    lookup_value_regex = "[^/]+"

    def list(self, request: Request, job: str) -> Response:
        """List the stages of a job by position."""
        id_ = found_job(job)
        page = self.paginate_queryset(stages_of(id_))
        return self.get_paginated_response([shaped(StageSerializer, row) for row in complete_stages(id_, page or [])])

    @extend_schema(responses=StageInFullSerializer)
    def retrieve(self, request: Request, job: str, stage: str) -> Response:
        """Show one stage with its description."""
        return Response(shaped(StageInFullSerializer, _found(job, stage)))

    @extend_schema(responses=ResultsSerializer)
    @action(detail=True)
    def results(self, request: Request, job: str, stage: str) -> StreamingHttpResponse:
        """Return the results of a stage by index; null where a task has none."""
        return StreamingHttpResponse(stage_results(found_stage(job, stage)), content_type="application/json")


def _found(job: str, name: str) -> dict[str, Any]:
    shown = stage(found_job(job), name)
    if shown is None:
        raise no_stage(name)
    return shown
