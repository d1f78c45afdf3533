"""Nodes: lists, single nodes, and commands of operators."""

from typing import Any

import django_filters
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled, identity_of
from access.reasons import ReasonSerializer, reason_of
from access.roles import Role
from nodes import reading, services
from nodes.models import Node


class ResourceSerializer(serializers.Serializer[Any]):
    """How much a node has of a resource, and how much of it is held."""

    total = serializers.IntegerField()
    held = serializers.IntegerField()


class ConditionSerializer(serializers.Serializer[Any]):
    """An error or a warning that stands on a node."""

    kind = serializers.ChoiceField(["error", "warning"])
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NodeSerializer(serializers.Serializer[Any]):
    """A machine that an agent registered."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    hostname = serializers.CharField(allow_blank=True)
    pool = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    state = serializers.ChoiceField(reading.STATES)
    active = serializers.BooleanField()
    paused = serializers.BooleanField()
    pause_reason = serializers.CharField(allow_blank=True)
    draining = serializers.BooleanField()
    slot_cpus = serializers.IntegerField()
    resources = serializers.DictField(child=ResourceSerializer())
    conditions = ConditionSerializer(many=True)
    heard_at = serializers.DateTimeField(allow_null=True)
    registered_at = serializers.DateTimeField(allow_null=True)
    info = serializers.JSONField()
    figures = serializers.JSONField()


class NodeFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """Narrow a list of nodes."""

    search = django_filters.CharFilter("name", "icontains", max_length=100)
    pool = django_filters.CharFilter("pool", max_length=100)
    state = django_filters.MultipleChoiceFilter(choices=[(state, state) for state in reading.STATES])

    class Meta:
        model = Node
        fields: tuple[str, ...] = ()


class NodeViewSet(Ruled, GenericViewSet[Any]):
    """The machines of the cluster; a path names one by its id, or by its name if that is not a number."""

    rules = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "pause": Role.OPERATOR,
        "resume": Role.OPERATOR,
        "drain": Role.OPERATOR,
        "deactivate": Role.OPERATOR,
        "activate": Role.OPERATOR,
        "destroy": Role.ADMIN,
    }
    serializer_class = NodeSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = NodeFilter
    ordering = ("name",)
    lookup_url_kwarg = "node"
    lookup_value_regex = "[^/]+"
    queryset = reading.nodes()

    def list(self, request: Request) -> Response:
        """List nodes by name."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(NodeSerializer(reading.completed(page or []), many=True).data)

    def retrieve(self, request: Request, node: str) -> Response:
        """Show one node."""
        return Response(NodeSerializer(_found(node)).data)

    def destroy(self, request: Request, node: str) -> Response:
        """Delete a node that is gone for ever; what ran there keeps its name."""
        services.delete(identity_of(request), _found(node)["id"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=ReasonSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, node: str) -> Response:
        """Start nothing more on a node; what runs goes on."""
        reason = reason_of(request)
        return _shown(services.pause(identity_of(request), _found(node)["id"], reason))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, node: str) -> Response:
        """Let a node that was paused or drained take work again."""
        return _shown(services.resume(identity_of(request), _found(node)["id"]))

    @extend_schema(request=ReasonSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, node: str) -> Response:
        """Let a node run empty."""
        reason = reason_of(request)
        return _shown(services.drain(identity_of(request), _found(node)["id"], reason))

    @extend_schema(request=ReasonSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, node: str) -> Response:
        """Take a node out of the cluster; the reason goes into its history."""
        reason = reason_of(request)
        return _shown(services.deactivate(identity_of(request), _found(node)["id"], reason))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, node: str) -> Response:
        """Take a node back."""
        return _shown(services.activate(identity_of(request), _found(node)["id"]))


def _found(key: str) -> dict[str, Any]:
    shown = reading.node(key)
    if shown is None:
        raise NotFound(f"There is no node {key:.60}.")
    return shown


def _shown(node: Node) -> Response:
    return Response(NodeSerializer(_found(str(node.id))).data)
