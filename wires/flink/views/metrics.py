"""Metrics of one object, or aggregated over several. Unknown objects have an empty list."""

from collections.abc import Iterable, Sequence
from typing import Any

import psutil
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from jobs.reading import checkpoints, counts
from jobs.reading.attempts import execution, executions
from jobs.reading.backpressure import held_shares
from jobs.reading.progress import Progress, stage
from nodes import reading
from status import process
from wires.flink import decode, ids
from wires.flink.encode import metrics
from wires.flink.encode.nodes import is_taskmanager
from wires.flink.views.base import FlinkView, now_ms
from wires.flink.views.cluster import overview
from wires.flink.views.nodes import taskmanagers
from wires.reading import NotThere


class MetricsView(FlinkView):
    """Tells metrics as the query asks."""

    def _handled(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            return super()._handled(request, **kwargs)
        except NotThere:
            return self.told([])

    def plain(self, found: metrics.Metrics) -> HttpResponse:
        """Return the metrics of one thing."""
        return self.told(metrics.plain(found, decode.listed(self.request.GET.getlist("get"))))

    def aggregated(self, found: Iterable[metrics.Metrics]) -> HttpResponse:
        """Return what comes of the metrics of several things."""
        wanted, kinds = decode.listed(self.request.GET.getlist("get")), decode.aggregations(self.request.GET.getlist("agg"))
        return self.told(metrics.aggregated(found, wanted, kinds))


class ManagerView(MetricsView):
    """The cluster, and the process that answers."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell of it."""
        return self.plain(metrics.of_manager(overview(), process.figures(), psutil.virtual_memory().total))


class JobsView(MetricsView):
    """Several jobs."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sum up live jobs, or those that are named."""
        named = decode.listed(request.GET.getlist("jobs"))
        asked = None if named is None else {ids.to_job(each) for each in named}
        wanted = None if asked is None else set(map(str, asked))
        figures, now = checkpoints.figures(asked), now_ms()
        found = (tally for tallies in counts.tallies() for tally in tallies)
        return self.aggregated(
            metrics.of_job(tally, figures.get(tally.id), now)
            for tally in found
            if (metrics.is_live(tally) if wanted is None else tally.id in wanted)
        )


class JobView(MetricsView):
    """One job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell of it."""
        id_ = ids.to_job(job)
        found, figures = counts.tally(id_), checkpoints.figures([id_])
        return self.plain(metrics.of_job(found, figures.get(found.id), now_ms()) if found else {})


class VertexView(MetricsView):
    """One vertex."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Tell of each of its tasks."""
        found = stage(ids.to_job(job), ids.to_stage(vertex))
        return self.plain(metrics.of_vertex(executions(found.id), _held(found), now_ms()) if found else {})


class OperatorView(MetricsView):
    """What the scheduler itself runs for a vertex: nothing."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Return no metrics."""
        ids.to_job(job)
        ids.to_stage(vertex)
        return self.plain({})


class SubtasksView(MetricsView):
    """The tasks of a vertex."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Sum up all of them, or those that are named."""
        wanted = decode.ranges(request.GET.getlist("subtasks"))
        found = stage(ids.to_job(job), ids.to_stage(vertex))
        held, now = _held(found) if found else (), now_ms()
        return self.aggregated(
            metrics.of_task(each, held, now)
            for each in (executions(found.id) if found else ())
            if wanted is None or any(each.task in some for some in wanted)
        )


class SubtaskView(MetricsView):
    """One task."""

    def get(self, request: HttpRequest, job: str, vertex: str, subtask: str) -> HttpResponse:
        """Tell of it."""
        found_in, index = stage(ids.to_job(job), ids.to_stage(vertex)), ids.to_index("subtaskindex", subtask)
        found = execution(found_in.id, index) if found_in else None
        return self.plain(metrics.of_task(found, _held(found_in), now_ms()) if found and found_in else {})


class TaskmanagersView(MetricsView):
    """Several nodes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sum up all of them, or those that are named."""
        wanted = decode.listed(request.GET.getlist("taskmanagers"))
        found = [node for node in taskmanagers() if wanted is None or ids.node_id(node["id"]) in wanted]
        return self.aggregated(metrics.of_node(node) for node in found)


class TaskmanagerView(MetricsView):
    """One node."""

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """Tell of it."""
        found = reading.node(str(ids.to_node(node)))
        return self.plain(metrics.of_node(found) if found and is_taskmanager(found) else {})


def _held(found: Progress) -> Sequence[float]:
    """Return for which share of the last minute each task of a stage was held back."""
    return held_shares(found.id, found.tasks, now=now_ms() / 1000)
