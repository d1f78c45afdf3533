"""The cluster: its settings, its sums, and what there is none of."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import Rule
from jobs import summing
from wires.flink.encode import cluster, legacy
from wires.flink.encode.nodes import slots
from wires.flink.errors import error
from wires.flink.views.base import FlinkView
from wires.flink.views.nodes import taskmanagers


class ClusterView(FlinkView):
    """The cluster as something that can be shut down; here it cannot."""

    rules: ClassVar[Mapping[str, Rule]] = {"delete": Role.ADMIN}

    def delete(self, request: HttpRequest) -> HttpResponse:
        """Refuse: this installation is stopped where it was started."""
        return error(403, "The cluster is not shut down from here.")


class ConfigView(FlinkView):
    """What dashboards ask first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say how often to ask, and which release is spoken."""
        return self.told(cluster.config(version("switchyard")), legacy.config)


class OverviewView(FlinkView):
    """Sums."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Count nodes, slots and jobs."""
        return self.told(overview(), legacy.overview)


class JarsView(FlinkView):
    """Programs; there are none."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them."""
        return self.told({"address": f"{request.scheme}://{request.get_host()}", "files": []})


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
        summing.jobs_by_state(),
        taskmanagers=len(found),
        slots=sum(total for total, _ in room),
        free=sum(free for _, free in room),
        ours=version("switchyard"),
    )
