"""Job types: settings, pauses and limits of jobs of a kind."""

from typing import Any

from django.db.models import Count, Q
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled, identity_of
from access.reasons import ReasonSerializer, reason_of
from access.roles import Role
from jobs.api.serializers import JobTypeSerializer, LimitSerializer
from jobs.commands.control import limit_job_type, pause_job_type, resume_job_type
from jobs.models import JobType

_RUNNING = Count("jobs", Q(jobs__started_at__isnull=False, jobs__ended_at__isnull=True))


class JobTypeViewSet(Ruled, GenericViewSet[Any]):
    """Kinds of jobs; a path names one as name:version."""

    rules = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "partial_update": Role.OPERATOR,
        "pause": Role.OPERATOR,
        "resume": Role.OPERATOR,
    }
    serializer_class = JobTypeSerializer
    queryset = JobType.objects.annotate(running=_RUNNING).values()
    ordering = ("name", "version")
    lookup_url_kwarg = "type"
    lookup_value_regex = "[^/:]+:[^/:]+"

    def list(self, request: Request) -> Response:
        """List the job types by name and version."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(JobTypeSerializer(page, many=True).data)

    def retrieve(self, request: Request, type: str) -> Response:
        """Show one job type."""
        return Response(self._shown(type))

    @extend_schema(request=LimitSerializer)
    def partial_update(self, request: Request, type: str) -> Response:
        """Limit how many jobs of a type may run at once."""
        given = LimitSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        limit_job_type(identity_of(request), *_named(type), **given.validated_data)
        return Response(self._shown(type))

    @extend_schema(request=ReasonSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, type: str) -> Response:
        """Start no more tasks of jobs of this type."""
        pause_job_type(identity_of(request), *_named(type), reason_of(request))
        return Response(self._shown(type))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, type: str) -> Response:
        """Start tasks of jobs of this type again."""
        resume_job_type(identity_of(request), *_named(type))
        return Response(self._shown(type))

    def _shown(self, type: str) -> Any:
        name, version = _named(type)
        row = self.get_queryset().filter(name=name, version=version).first()
        if row is None:
            raise NotFound(f"There is no job type {type:.60}.")
        return JobTypeSerializer(row).data


def _named(type: str) -> tuple[str, str]:
    name, _, version = type.partition(":")
    return name, version
