"""Nodes as taskmanagers."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from nodes import events, reading
from wires.flink import ids
from wires.flink.encode import manager, typed
from wires.flink.encode import nodes as encode
from wires.flink.views.base import TEXT, FlinkView, existing_job, found_node
from wires.flink.views.manager import SHOWN, absolute, log_response


class TaskmanagersView(FlinkView):
    """All nodes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them, by name."""
        return self.told(encode.taskmanagers(taskmanagers()), typed=typed.nodes)


class TaskmanagerView(FlinkView):
    """One node."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """Show it with the memory of its agent."""
        return self.told(encode.in_full(found_node(node)), typed=typed.node)


class LogView(FlinkView):
    """What happened to a node."""

    def get(self, request: HttpRequest, node: str, file: str = manager.LOG) -> HttpResponse:
        """Tell it, a line for each event."""
        return log_response(_told(node), file)


class LogsView(FlinkView):
    """The logs of a node."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """List them."""
        return self.told(manager.logs(_told(node)))


class LogUrlView(FlinkView):
    """Where the log of a node that works for a job is."""

    def get(self, request: HttpRequest, job: str, node: str) -> HttpResponse:
        """Return its address."""
        existing_job(job)
        found = ids.node_id(found_node(node)["id"])
        return self.told({"url": absolute(request, f"taskmanagers/{found}/log")})


class StdoutView(FlinkView):
    """What an agent wrote besides; nothing of it is sent."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """Tell nothing."""
        found_node(node)
        return HttpResponse("", content_type=TEXT)


class ThreadDumpView(FlinkView):
    """The threads of an agent, of which it does not tell."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """List none."""
        found_node(node)
        return self.told(manager.threads(()))


def taskmanagers() -> list[dict[str, Any]]:
    """Return the nodes that are there, by name."""
    return reading.completed([node for node in reading.nodes() if encode.is_taskmanager(node)])


def _told(node: str) -> list[dict[str, Any]]:
    return list(events.events().filter(node_id=found_node(node)["id"])[:SHOWN])
