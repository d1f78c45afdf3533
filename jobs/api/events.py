"""Events of jobs and nodes."""

from typing import Any

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled
from access.roles import Role
from jobs.api.filters import EventFilter
from jobs.api.serializers import EventSerializer
from nodes import events


class EventViewSet(Ruled, GenericViewSet[Any]):
    """What happened."""

    rules = {"list": Role.VIEWER}
    serializer_class = EventSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = EventFilter
    ordering = ("-id",)
    queryset = events.events()

    def list(self, request: Request) -> Response:
        """List events, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(EventSerializer(events.named(page), many=True).data)
