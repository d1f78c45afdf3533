"""Jobs: submit, list, show, cancel, retry, delete, explain, draw, and the results of their last stages."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled, identity_of
from access.reasons import ReasonSerializer, reason_of
from access.roles import Role
from access.strict import StrictSerializer
from database import rows
from database.snapshots import one_snapshot
from jobs.api import parsers
from jobs.api.filters import JobFilter
from jobs.api.finding import found_job
from jobs.api.serializers import (
    ExplanationSerializer,
    JobInFullSerializer,
    JobResultsSerializer,
    JobSerializer,
    OperationSerializer,
    RetrialSerializer,
    SuspendingSerializer,
    shaped,
)
from jobs.commands import admission, checkpoints, control
from jobs.commands.restoring import Restore
from jobs.commands.retry import Retrial
from jobs.drawing import job_graph
from jobs.models import Job
from jobs.reading import jobs, operations
from jobs.reading.explanations import explain_job
from jobs.reading.results import results_by_stage
from jobs.reading.retries import ask_links
from jobs.reading.stages import ask_stages, infeasible, last_stages
from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.lifecycle.savepoints import Then

KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


class DryRunSerializer(serializers.Serializer[Any]):
    """Whether only an answer is wanted."""

    dry_run = serializers.BooleanField(default=False)


class SubmittingSerializer(StrictSerializer):
    """From which savepoint a job starts, and whether states of stages that it does not have are left out."""

    savepoint = serializers.CharField(max_length=2000, required=False)
    allow_non_restored = serializers.BooleanField(default=False)


class SavepointSerializer(StrictSerializer):
    """What becomes of the job once its savepoint is written, and below which directory that is."""

    then = serializers.ChoiceField(list(Then), default=Then.GO_ON)
    directory = serializers.CharField(max_length=2000, required=False, allow_null=True, default=None)


class JobViewSet(Ruled, GenericViewSet[Any]):
    """What users submitted."""

    rules = {
        "create": Role.OPERATOR,
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "cancel": Role.OPERATOR,
        "release": Role.OPERATOR,
        "drain": Role.OPERATOR,
        "checkpoint": Role.OPERATOR,
        "savepoint": Role.OPERATOR,
        "suspend": Role.OPERATOR,
        "resume": Role.OPERATOR,
        "retry": Role.OPERATOR,
        "destroy": Role.OPERATOR,
        "summary": Role.VIEWER,
        "explain": Role.VIEWER,
        "results": Role.VIEWER,
        "dag_dot": Role.VIEWER,
        "dag_svg": Role.VIEWER,
    }
    parameters = {"create": ("savepoint", "allow_non_restored"), "retry": ("dry_run",)}
    single = ("summary",)
    parser_classes = parsers.DESCRIPTIONS
    serializer_class = JobSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = JobFilter
    ordering = ("-number",)
    lookup_url_kwarg = "job"
    lookup_value_regex = "[^/]+"
    queryset = jobs.jobs()

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses={201: JobInFullSerializer},
        parameters=[KEY, OpenApiParameter("savepoint", str), OpenApiParameter("allow_non_restored", bool)],
    )
    def create(self, request: Request) -> Response:
        """Submit a job described in JSON or YAML; the same Idempotency-Key gives the same job.

        It may start from a savepoint, given by its location: what had finished stands, and the rest goes on from there.
        """
        described: Any = request.data
        format_ = parsers.format_of(request.content_type)
        how: dict[str, Any] = {"format": format_, "key": key_of(request), "restore": _restore(request)}
        return answer_submitted(request, admission.submit(identity_of(request), described or b"", ask_in_full, **how))

    def list(self, request: Request) -> Response:
        """List jobs, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shaped(JobSerializer, row) for row in jobs.completed(page or [])])

    @extend_schema(responses=JobInFullSerializer)
    def retrieve(self, request: Request, job: str) -> Response:
        """Show one job in full."""
        return Response(_in_full(found_job(job)))

    @extend_schema(request=None, responses={202: JobInFullSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, job: str) -> Response:
        """Ask a job to stop; one that has ended is left as it is."""
        return _after(control.cancel(identity_of(request), found_job(job)))

    @extend_schema(request=None, responses={202: JobInFullSerializer})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, job: str) -> Response:
        """Let a job go on that is held; one that is not, or has ended, is left as it is."""
        return _after(control.release(identity_of(request), found_job(job)))

    @extend_schema(request=None, responses={202: JobInFullSerializer})
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, job: str) -> Response:
        """Let a job end early: nothing more begins at its sources; one that has ended is left as it is."""
        return _after(control.drain(identity_of(request), found_job(job)))

    @extend_schema(request=None, responses={202: OperationSerializer})
    @action(detail=True, methods=["post"])
    def checkpoint(self, request: Request, job: str) -> Response:
        """Save the states of all running tasks of a job together; the operation ends when all have answered."""
        done = checkpoints.trigger(identity_of(request), found_job(job))
        return Response(shaped(OperationSerializer, operations.operation(done) or {}), status.HTTP_202_ACCEPTED)

    @extend_schema(request=SavepointSerializer, responses={202: OperationSerializer})
    @action(detail=True, methods=["post"], parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def savepoint(self, request: Request, job: str) -> Response:
        """Write a savepoint, from which another job may start; the operation's outcome says where it is.

        Then the job goes on, is canceled, is stopped at once (it ends FINISHED), or drains.
        """
        asked = SavepointSerializer(data=request.data or {})
        asked.is_valid(raise_exception=True)
        how = asked.validated_data
        by, then = identity_of(request), Then(how["then"])
        done = checkpoints.save(by, found_job(job), then=then, directory=how["directory"])
        return Response(shaped(OperationSerializer, operations.operation(done) or {}), status.HTTP_202_ACCEPTED)

    @extend_schema(request=ReasonSerializer, responses={202: SuspendingSerializer})
    @action(detail=True, methods=["post"], parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def suspend(self, request: Request, job: str) -> Response:
        """Let nothing of a job run until it is resumed; one that has ended is left as it is.

        The operation ends when nothing of it runs any more.
        """
        answer = _after(control.suspend(identity_of(request), found_job(job), reason_of(request)))
        operation = operations.last(answer.data["id"], Kind.SUSPEND)
        answer.data["operation"] = operation and shaped(OperationSerializer, operation)
        return answer

    @extend_schema(request=ReasonSerializer, responses={202: JobInFullSerializer})
    @action(detail=True, methods=["post"], parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def resume(self, request: Request, job: str) -> Response:
        """Let a suspended job go on; one that is not, or has ended, is left as it is."""
        return _after(control.resume(identity_of(request), found_job(job), reason_of(request)))

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses={200: RetrialSerializer, 201: JobInFullSerializer},
        parameters=[KEY, OpenApiParameter("dry_run", bool)],
    )
    @action(detail=True, methods=["post"], parser_classes=(*parsers.DESCRIPTIONS, parsers.EmptyForm))
    def retry(self, request: Request, job: str) -> Response:
        """Submit the part of a job that did not finish as a new job, edited if wanted; or say what that would reuse."""
        by, old = identity_of(request), found_job(job)
        edit: Any = request.data or b""
        format_ = parsers.format_of(request.content_type) if edit else None
        asked = DryRunSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        if asked.validated_data["dry_run"]:
            return Response(_shown(admission.consider_retry(by, old, text=edit, format=format_)))
        return answer_submitted(
            request, admission.retry(by, old, ask_in_full, text=edit, format=format_, key=key_of(request))
        )

    def destroy(self, request: Request, job: str) -> Response:
        """Delete a job that has ended."""
        control.delete(identity_of(request), found_job(job))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=JobSerializer)
    @action(detail=True)
    def summary(self, request: Request, job: str) -> Response:
        """Show one job as lists do: small however large the job, for whoever asks often."""
        shown = jobs.summary(found_job(job))
        if shown is None:
            raise exceptions.NotFound(f"There is no job {job:.60}.")
        return Response(JobSerializer(shown).data)

    @extend_schema(responses=ExplanationSerializer)
    @action(detail=True)
    def explain(self, request: Request, job: str) -> Response:
        """Say why a job is not further than it is."""
        return Response(ExplanationSerializer(explain_job(found_job(job), now=rows.now())).data)

    @extend_schema(responses=JobResultsSerializer)
    @action(detail=True)
    def results(self, request: Request, job: str) -> StreamingHttpResponse:
        """Return the results of the stages that no other needs."""
        texts = results_by_stage(last_stages(found_job(job)))
        return StreamingHttpResponse(texts, content_type="application/json")

    @extend_schema(responses={(200, "text/vnd.graphviz"): str})
    @action(detail=True, url_path=r"dag\.dot")
    def dag_dot(self, request: Request, job: str) -> HttpResponse:
        """Return the graph of a job in the language of Graphviz."""
        return HttpResponse(job_graph.job_dot(found_job(job)), content_type="text/vnd.graphviz; charset=utf-8")

    @extend_schema(responses={(200, "image/svg+xml"): str})
    @action(detail=True, url_path=r"dag\.svg")
    def dag_svg(self, request: Request, job: str) -> HttpResponse:
        """Draw the graph of a job."""
        return job_graph.svg_response(found_job(job))


def _shown(retrial: Retrial) -> dict[str, Any]:
    return {
        "retried_from": retrial.job.id,
        "retried_from_number": retrial.job.number,
        "stages": [
            {"name": stage.stage, "parallelism": stage.tasks, "reused": len(stage.stands), "rerun": stage.reasons}
            for stage in retrial.stages
        ],
    }


def _restore(request: Request) -> Restore | None:
    asked = SubmittingSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    how = asked.validated_data
    return Restore(how["savepoint"], how["allow_non_restored"]) if "savepoint" in how else None


def key_of(request: Request) -> str | None:
    """Return the idempotency key of a request."""
    return request.headers.get("Idempotency-Key")


def answer_submitted(request: Request, admitted: admission.Admitted[dict[str, Any]]) -> Response:
    """Answer with a job that was submitted, now or before with the same key."""
    shown = admitted.shown
    location = reverse("job-detail", [shown["id"]], request=request)
    code = status.HTTP_201_CREATED if admitted.is_new else status.HTTP_200_OK
    return Response(shown, code, headers={"Location": location})


def _after(job: Job) -> Response:
    return Response(_in_full(job.id), status.HTTP_200_OK if job.ended_at else status.HTTP_202_ACCEPTED)


def _in_full(id_: UUID) -> dict[str, Any]:
    with one_snapshot(), rows.together():
        return ask_in_full(id_)()


def ask_in_full(id_: UUID) -> rows.Answer[dict[str, Any]]:
    """Ask for a job in full."""
    job, its_stages, links = jobs.ask_job(id_), ask_stages(id_), ask_links(id_)

    def answer() -> dict[str, Any]:
        shown, found, linked = job(), its_stages(), links()
        if shown is None:
            raise exceptions.NotFound(f"There is no job {id_}.")
        return shaped(JobInFullSerializer, shown | linked | {"stages": found, "infeasible": infeasible(found)})

    return answer
