"""Ballista's routes: decode, call one reader or command, encode."""

from collections.abc import Mapping
from time import time
from typing import ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from access.roles import Role
from access.rules import Rule
from jobs.commands import control
from jobs.drawing import job_graph
from jobs.reading import jobs, listing, selectors
from jobs.reading.plans import Plan, plans
from jobs.reading.times import courses
from jobs.telemetry import gauges
from nodes import reading as nodes
from switchyard.scheduling.lifecycle.states import JobState
from wires.answering import answer, in_pieces
from wires.ballista import decode
from wires.ballista.encode import executors, metrics, scheduler, stages
from wires.ballista.encode import jobs as encode
from wires.ballista.encode.plans import job_dot, number, stage_dot
from wires.ballista.errors import TEXT, WIRE
from wires.base import WireView
from wires.reading import NotThere

#: Older clients ask some routes by POST, with a body that does not count; they read all the same.
ASKED_BY_POST: Mapping[str, Rule] = {"get": Role.VIEWER, "post": Role.VIEWER}


class BallistaView(WireView):
    """A view of this wire, for viewers."""

    wire = WIRE
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}


class StateView(BallistaView):
    """The scheduler."""

    rules = ASKED_BY_POST

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say since when it leads, and what it can do."""
        return answer(scheduler.state(selectors.leader().taken_at))

    post = get


class VersionView(BallistaView):
    """The release that is spoken."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Name it."""
        return answer(scheduler.version())


class ExecutorsView(BallistaView):
    """All nodes."""

    rules = ASKED_BY_POST

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them, by name."""
        found = [node for node in nodes.nodes() if executors.is_executor(node)]
        return answer([executors.executor(node) for node in nodes.completed(found)])

    post = get


class ExecutorView(BallistaView):
    """One node."""

    def get(self, request: HttpRequest, executor: str) -> HttpResponse:
        """Show it."""
        found = nodes.node_by_name(executor)
        if found is None or not executors.is_executor(found):
            raise NotThere
        return answer(executors.executor(found))


class JobsView(BallistaView):
    """All jobs."""

    rules = ASKED_BY_POST

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them, newest first."""
        return in_pieces(encode.jobs(listing.pieces()))

    post = get


class JobView(BallistaView):
    """One job."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Show it with its plans."""
        format_ = decode.plan_format(request.GET.get("plan_format"))
        id_ = _found(job)
        line = listing.line(id_)
        if line is None:
            raise NotThere
        return answer(encode.job_in_full(line, plans(id_), format_))

    def patch(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask it to stop; the body does not count."""
        id_ = _found(job)
        status, body = encode.cancelled(JobState(control.cancel(self.sender, id_).state))
        return answer(body, status)


class StagesView(BallistaView):
    """The stages of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponseBase:
        """List them with all their tasks."""
        format_ = decode.plan_format(request.GET.get("plan_format"))
        found = plans(_found(job))
        tasks = courses([plan.id for plan in found if plan.begun])
        return in_pieces(stages.stages(found, tasks, format_, now=round(time() * 1000)))


class ConfigView(BallistaView):
    """The settings of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell them, by name."""
        found = jobs.job(_found(job))
        if found is None:
            raise NotThere
        return answer(encode.config(found))


class DotView(BallistaView):
    """The graph of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Draw it in the language of Graphviz."""
        return HttpResponse(job_dot(plans(_found(job))), content_type=TEXT)


class SvgView(BallistaView):
    """The picture of a job's graph."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Draw it."""
        return job_graph.svg_response(_found(job))


class StageDotView(BallistaView):
    """The graph of a stage."""

    def get(self, request: HttpRequest, job: str, stage: str) -> HttpResponse:
        """Draw it in the language of Graphviz."""
        wanted = decode.stage_number(stage)
        return HttpResponse(stage_dot(_stage(plans(_found(job)), wanted)), content_type=TEXT)


class MetricsView(BallistaView):
    """The scheduler's metrics."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell them as they are now."""
        return HttpResponse(metrics.text(gauges.counted(), gauges.pending()), content_type=metrics.CONTENT_TYPE)


def _found(key: str) -> UUID:
    id_ = jobs.id_of(key)
    if id_ is None:
        raise NotThere
    return id_


def _stage(found: list[Plan], wanted: int) -> Plan:
    for plan in found:
        if number(plan) == wanted:
            return plan
    raise NotThere(f"There is no stage {wanted}.")
