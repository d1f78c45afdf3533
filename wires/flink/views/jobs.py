"""Jobs: the lists, single jobs, and results."""

from collections.abc import Mapping
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from access.roles import Role
from access.rules import Rule
from jobs.reading import counts, jobs
from jobs.reading.accumulators import accumulated
from jobs.reading.attempts import failures
from jobs.reading.plans import plans
from jobs.reading.progress import flows, stages
from nodes.reading import names_of
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState
from wires.flink import decode, ids
from wires.flink.encode import failures as shown
from wires.flink.encode import jobs as encode
from wires.flink.encode import legacy, results, typed
from wires.flink.encode.plans import plan
from wires.flink.states import JOBS
from wires.flink.views.base import FlinkView, existing_job, found_job, no_job, now_ms
from wires.flink.views.changing import EndingView, SubmittingView
from wires.reading import NotThere


class JobsView(SubmittingView):
    """All jobs, in short; and new ones."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List their ids and states."""
        return self.told(encode.listed(counts.states()))


class JobsOverviewView(FlinkView):
    """All jobs."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them, newest first."""
        return self.in_pieces(encode.overview(counts.tallies(), self.shape(legacy.row), now=now_ms()))


class VerticesView(FlinkView):
    """One job, by the other name that the older API has for it."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Show it with its vertices and its graph."""
        found = found_job(job)
        id_ = ids.to_job(job)
        vertices = stages(id_)
        told = encode.in_full(
            found,
            counts.entered(id_),
            vertices,
            flows([vertex.id for vertex in vertices]),
            plan(found.id, found.name, plans(id_)),
            now=now_ms(),
        )
        return self.told(told, legacy.job, typed.job)


class JobView(VerticesView, EndingView):
    """One job."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def head(self, request: HttpRequest, job: str) -> HttpResponse:
        """Answer as to a GET, which here changes nothing."""
        return self.get(request, job)

    def patch(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask a job to end, as the mode says."""
        wanted = decode.mode(request.GET.get("mode"))
        return self.cancelled(job) if wanted is decode.Mode.CANCEL else self.stopped(job)


class PlanView(FlinkView):
    """The graph of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Show it."""
        found = found_job(job)
        return self.told({"plan": plan(found.id, found.name, plans(ids.to_job(job)))}, legacy.plan)


class ConfigView(FlinkView):
    """The settings of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell them."""
        found = jobs.job(ids.to_job(job))
        if found is None:
            raise no_job(job)
        return self.told(encode.config(found), legacy.job_config)


class StatusView(FlinkView):
    """The state of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Name it."""
        found = counts.state(ids.to_job(job))
        if found is None:
            raise no_job(job)
        return self.told({"status": JOBS[found]})


class ExceptionsView(FlinkView):
    """What went wrong in a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell why it fails, and which attempts failed."""
        found, id_ = found_job(job), ids.to_job(job)
        most = decode.most_exceptions(request.GET.get("maxExceptions"))
        failed = failures(id_, limit=max(shown.SHOWN, most or 0) + 1)
        names = names_of({each.node for each in failed if each.node is not None})
        told = shown.exceptions(found, counts.entered(id_).get(JobState.FAILING), failed, names)
        if most is not None:
            told["exceptionHistory"] = shown.history(told, failed, names, most=most)
        return self.told(told, legacy.exceptions)


class AccumulatorsView(FlinkView):
    """What the tasks of a job have added up."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell it, by name."""
        found = accumulated([stage.id for stage in stages(existing_job(job))])
        serialized = decode.is_true(request.GET.get("includeSerializedValue"))
        return self.told(results.of_job(found, serialized=serialized), legacy.job_accumulators)


class ExecutionResultView(FlinkView):
    """What came of a job."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Tell it, once the job has ended."""
        id_ = ids.to_job(job)
        found = counts.tally(id_)
        if found is None:
            raise NotThere(f"Could not find Flink job ({job:.100})")
        added = accumulated([stage.id for stage in stages(id_)]) if found.state in JOB_ENDS else []
        return self.told(results.result(found, added))
