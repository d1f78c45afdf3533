"""Vertices, their subtasks, and the attempts of these."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from jobs.reading.accumulators import accumulated
from jobs.reading.attempts import Execution, execution, executions
from jobs.reading.backpressure import held_shares
from jobs.reading.progress import Progress
from nodes.reading import all_names, names_of
from wires.flink import ids
from wires.flink.encode import legacy, results, typed, vertices
from wires.flink.views.base import FlinkView, found_job, found_stage, now_ms
from wires.reading import NotThere


class VertexView(FlinkView):
    """One vertex."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponseBase:
        """Show it with its subtasks."""
        stage = found_stage(job, vertex)
        shape = self.shape(legacy.listed_subtask, typed.subtask)
        return self.in_pieces(vertices.detail(stage, executions(stage.id), all_names(), shape, now=now_ms()))


class TimesView(FlinkView):
    """When the subtasks of a vertex entered each state."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponseBase:
        """List them."""
        created, stage = found_job(job).created, found_stage(job, vertex)
        told = vertices.subtask_times(
            stage, executions(stage.id), all_names(), self.shape(legacy.times), created=created, now=now_ms()
        )
        return self.in_pieces(told)


class ByNodeView(FlinkView):
    """Where the subtasks of a vertex are."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Sum them up by node."""
        stage = found_stage(job, vertex)
        told = vertices.by_node(stage, executions(stage.id), all_names(), now=now_ms())
        return self.told(told, legacy.taskmanagers, typed.by_node)


class AccumulatorsView(FlinkView):
    """What the subtasks of a vertex have added up."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Tell it, by name."""
        stage = found_stage(job, vertex)
        return self.told(results.of_vertex(stage, accumulated([stage.id])), legacy.accumulators)


class SubtasksAccumulatorsView(FlinkView):
    """What each subtask of a vertex has added up."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Tell it, by subtask."""
        stage = found_stage(job, vertex)
        told = results.of_subtasks(stage, executions(stage.id), all_names())
        return self.told(told, legacy.subtasks_accumulators)


class BackpressureView(FlinkView):
    """How much the subtasks of a vertex are held back."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Tell it, by subtask."""
        stage = found_stage(job, vertex)
        until = vertices.sampled_until(now_ms())
        held = held_shares(stage.id, stage.tasks, now=until / 1000)
        return self.told(vertices.backpressure(stage, executions(stage.id), held, until=until))


class FlamegraphView(FlinkView):
    """Where the tasks of a vertex stand, as a graph; it is switched off."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """Say so."""
        found_stage(job, vertex)
        return self.told(vertices.flamegraph())


class WatermarksView(FlinkView):
    """The watermarks of a vertex; there are none."""

    def get(self, request: HttpRequest, job: str, vertex: str) -> HttpResponse:
        """List them."""
        found_stage(job, vertex)
        return self.told([])


class SubtaskView(FlinkView):
    """A subtask's current attempt, or the one that is named."""

    def get(self, request: HttpRequest, job: str, vertex: str, subtask: str, attempt: str | None = None) -> HttpResponse:
        """Show it."""
        _, found = _execution(job, vertex, subtask, attempt)
        names = names_of({found.node} if found.node is not None else ())
        return self.told(vertices.subtask(found, names, now=now_ms()), legacy.subtask)


class AttemptAccumulatorsView(FlinkView):
    """What an attempt has added up."""

    def get(self, request: HttpRequest, job: str, vertex: str, subtask: str, attempt: str) -> HttpResponse:
        """Tell it, by name."""
        stage, found = _execution(job, vertex, subtask, attempt)
        return self.told(results.of_attempt(stage.id, found), legacy.attempt_accumulators)


def _execution(job: str, vertex: str, subtask: str, attempt: str | None) -> tuple[Progress, Execution]:
    index = ids.to_index("subtaskindex", subtask)
    number = None if attempt is None else ids.to_index("attempt", attempt)
    stage = found_stage(job, vertex)
    found = execution(stage.id, index, number)
    if found is None and (number is None or index >= stage.tasks):
        raise NotThere(f"Invalid subtask index for vertex {vertex}")
    if found is None:
        raise NotThere(f"Invalid attempt num {number}")
    return stage, found
