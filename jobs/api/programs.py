"""Programs: upload, list, show, plan, run, delete."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from access import uploads
from access.bodies import NotRead
from access.drf import Ruled, Unread, identity_of
from access.roles import Role
from access.strict import StrictSerializer
from jobs.api.jobs import answer_submitted, ask_in_full, key_of
from jobs.api.serializers import JobInFullSerializer, OperationSerializer, shaped
from jobs.commands import planning
from jobs.commands import programs as commands
from jobs.drawing import job_graph
from jobs.models import Program
from jobs.reading import operations, programs
from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.spec import to_json

KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


class EntrySerializer(serializers.Serializer[Any]):
    """An entry point of a program; a `function` is called on an agent."""

    name = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    function = serializers.CharField(allow_null=True)


class ProgramSerializer(serializers.Serializer[Any]):
    """An uploaded archive; `fault` says why it cannot be run."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    entries = EntrySerializer(many=True)
    fault = serializers.CharField(allow_blank=True)
    uploaded_by = serializers.CharField()
    uploaded_at = serializers.DateTimeField()


class CallSerializer(StrictSerializer):
    """What is to be run of a program."""

    entry = serializers.CharField(max_length=200, required=False, allow_null=True, default=None)
    arguments = serializers.ListField(child=serializers.CharField(allow_blank=True), max_length=1000, required=False)
    parallelism = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True, default=None)


class PlanSerializer(serializers.Serializer[Any]):
    """The description of the job that a program would make."""

    description = serializers.JSONField()


class Form(BaseParser):
    """Leave the form of an upload to the view, which takes it in pieces."""

    media_type = "multipart/form-data"

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the view takes the body itself")


class ProgramViewSet(Ruled, GenericViewSet[Any]):
    """Archives from which jobs are made."""

    rules = {
        "create": Role.OPERATOR,
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "destroy": Role.OPERATOR,
        "plan": Role.VIEWER,
        "plan_svg": Role.VIEWER,
        "run": Role.OPERATOR,
    }
    parameters = {"plan_svg": ("entry",)}
    streamed = {"create": "LARGEST_PROGRAM"}
    parser_classes = (Form,)
    serializer_class = ProgramSerializer
    ordering = ("-number",)
    lookup_url_kwarg = "program"
    lookup_value_regex = "[^/]+"
    queryset = programs.programs()

    @extend_schema(
        request={"multipart/form-data": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}},
        responses={201: ProgramSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload an archive as the one file of a form; the same name again is another version."""
        try:
            with uploads.receive(request._request, settings.LARGEST_PROGRAM) as upload:
                digest = upload.digest.hexdigest()
                kept = commands.upload(identity_of(request), upload.name, upload.file, digest, upload.size)
        except NotRead as error:
            raise Unread(error) from error
        return Response(_shown(kept), status.HTTP_201_CREATED)

    def list(self, request: Request) -> Response:
        """List programs, newest first."""
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response([_shown(each) for each in page])

    def retrieve(self, request: Request, program: str) -> Response:
        """Show a program, by its id, or the newest of a name."""
        return Response(_shown(_found(program)))

    def destroy(self, request: Request, program: str) -> Response:
        """Forget a program; jobs that were made of it keep what they need."""
        commands.delete(identity_of(request), _found(program).id)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=CallSerializer, responses={200: PlanSerializer, 202: OperationSerializer}, parameters=[KEY])
    @action(detail=True, methods=["post"], parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def plan(self, request: Request, program: str) -> Response:
        """Return the job that a run would submit, and submit nothing.

        A function is called on an agent: the operation ends with the description.
        """
        found, call = _found(program), _call(request.data)
        if function := commands.function(found, call):
            return _asked(request, found, function, call, Kind.PLAN)
        return Response({"description": to_json(commands.plan(found, call))})

    @extend_schema(responses={(200, "image/svg+xml"): str}, parameters=[OpenApiParameter("entry", str)])
    @action(detail=True, url_path=r"plan\.svg", parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def plan_svg(self, request: Request, program: str) -> HttpResponse:
        """Draw the graph of the job that a run without arguments would submit."""
        entry = request.query_params.get("entry")
        stages = programs.plans(commands.plan(_found(program), commands.Call(entry)))
        return job_graph.drawn_response(programs.drawn(stages))

    @extend_schema(request=CallSerializer, responses={201: JobInFullSerializer, 202: OperationSerializer}, parameters=[KEY])
    @action(detail=True, methods=["post"], parser_classes=api_settings.DEFAULT_PARSER_CLASSES)
    def run(self, request: Request, program: str) -> Response:
        """Submit the job of an entry point; the same Idempotency-Key gives the same job.

        A function is called on an agent: the operation ends with the job. The same key gives the same operation.
        """
        found, call = _found(program), _call(request.data)
        if function := commands.function(found, call):
            return _asked(request, found, function, call, Kind.RUN)
        by, key = identity_of(request), key_of(request)
        return answer_submitted(request, commands.run(by, found, call, ask_in_full, key=key))


def _asked(request: Request, program: Program, function: str, call: commands.Call, kind: Kind) -> Response:
    operation = planning.ask(identity_of(request), program, function, call, kind, key=key_of(request))
    return Response(shaped(OperationSerializer, operations.operation(operation) or {}), status.HTTP_202_ACCEPTED)


def _shown(found: Program) -> Any:
    return ProgramSerializer(programs.shown(found)).data


def _found(key: str) -> Program:
    found = programs.program(key)
    if found is None:
        raise NotFound(f"There is no program {key:.100}.")
    return found


def _call(data: Any) -> commands.Call:
    asked = CallSerializer(data=data or {})
    asked.is_valid(raise_exception=True)
    return commands.Call(**asked.validated_data)
