"""The cluster: its settings, its sums, and empty lists of unsupported objects."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import Rule
from jobs.reading import totals
from nodes.shutdown import shut_down
from wires.flink.encode import cluster, legacy, typed
from wires.flink.encode.nodes import slots
from wires.flink.views.base import FlinkView
from wires.flink.views.nodes import taskmanagers


class ClusterView(FlinkView):
    """The cluster as something that can be shut down, where a setting allows it."""

    rules: ClassVar[Mapping[str, Rule]] = {"delete": Role.ADMIN}

    def delete(self, request: HttpRequest) -> HttpResponse:
        """Stop everything; the answer may well be the last one."""
        shut_down(self.sender)
        return self.told({})


class ConfigView(FlinkView):
    """What dashboards ask first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say how often to ask, and which release is spoken."""
        return self.told(cluster.config(version("switchyard")), legacy.config, typed.config)


class OverviewView(FlinkView):
    """Sums."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Count nodes, slots and jobs."""
        return self.told(overview(), legacy.overview)


class DatasetsView(FlinkView):
    """Cached datasets; there are none."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them."""
        return self.told({"dataSets": []})


def overview() -> dict[str, Any]:
    """Return the sums of the cluster."""
    found = taskmanagers()
    room = [slots(node) for node in found]
    return cluster.overview(
        totals.jobs_by_state(),
        taskmanagers=len(found),
        slots=sum(total for total, _ in room),
        free=sum(free for _, free in room),
        ours=version("switchyard"),
    )
