"""Nodes as taskmanagers."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from nodes import showing
from wires.flink.encode import nodes as encode
from wires.flink.views.base import FlinkView, found_node


class TaskmanagersView(FlinkView):
    """All nodes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them, by name."""
        return self.told(encode.taskmanagers(taskmanagers()))


class TaskmanagerView(FlinkView):
    """One node."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """Show it with the memory of its agent."""
        return self.told(encode.in_full(found_node(node)))


def taskmanagers() -> list[dict[str, Any]]:
    """Return the nodes that are there, by name."""
    return showing.completed([node for node in showing.nodes() if encode.is_taskmanager(node)])
