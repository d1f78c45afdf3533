"""Tasks: lists by stage and index, one task with its attempts, its result."""

import base64
import binascii
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.drf import Ruled
from access.roles import Role
from jobs.api.filters import TASK_STATES
from jobs.api.finding import found_index, found_job, found_stage, no_task
from jobs.api.pieces import in_pieces
from jobs.api.serializers import TaskInFullSerializer, TaskSerializer, shaped
from jobs.models import Task
from jobs.reading.results import result_pieces
from jobs.reading.stages import stage_ids
from jobs.reading.tasks import BEFORE_ALL, Place, task, tasks, with_stage_names
from switchyard.scheduling.lifecycle.states import TaskState

PAGE, MOST = 50, 500
STATE = OpenApiParameter("state", str, many=True, enum=[name for name, _ in TASK_STATES])
CURSOR = OpenApiParameter("cursor", str)
INVALID_CURSOR = ValidationError({"cursor": ["is not one that a page has named"]})
LIMIT = OpenApiParameter("limit", int)


class WantedSerializer(serializers.Serializer[Any]):
    """What a list of tasks is asked for."""

    state = serializers.MultipleChoiceField(choices=TASK_STATES, required=False)
    stage = serializers.CharField(max_length=100, required=False)
    cursor = serializers.CharField(max_length=100, required=False)
    limit = serializers.IntegerField(min_value=1, default=PAGE)


class TaskPageSerializer(serializers.Serializer[Any]):
    """A page of tasks."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = TaskSerializer(many=True)


class JobTaskViewSet(Ruled, GenericViewSet[Any]):
    """All tasks of a job."""

    rules = {"list": Role.VIEWER}
    parameters = {"list": ("state", "stage", "cursor", "limit")}
    serializer_class = TaskSerializer
    queryset = Task.objects.none()
    pagination_class = None

    @extend_schema(responses=TaskPageSerializer, parameters=[STATE, OpenApiParameter("stage", str), CURSOR, LIMIT])
    def list(self, request: Request, job: str) -> Response:
        """List the tasks of a job by stage and index."""
        wanted = _wanted(request)
        names = stage_ids(found_job(job))
        if "stage" in wanted:
            names = {name: id_ for name, id_ in names.items() if name == wanted["stage"]}
        return _page(request, names, wanted)


class TaskViewSet(Ruled, GenericViewSet[Any]):
    """The tasks of a stage."""

    rules = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "result": Role.VIEWER}
    parameters = {"list": ("state", "cursor", "limit")}
    serializer_class = TaskSerializer
    queryset = Task.objects.none()
    pagination_class = None
    lookup_url_kwarg = "index"
    lookup_value_regex = "[0-9]+"

    @extend_schema(responses=TaskPageSerializer, parameters=[STATE, CURSOR, LIMIT])
    def list(self, request: Request, job: str, stage: str) -> Response:
        """List the tasks of a stage by index."""
        return _page(request, {stage: found_stage(job, stage)}, _wanted(request))

    @extend_schema(responses=TaskInFullSerializer)
    def retrieve(self, request: Request, job: str, stage: str, index: str) -> Response:
        """Show one task with its attempts."""
        shown = task(found_stage(job, stage), found_index(index))
        if shown is None:
            raise no_task(index)
        return Response(shaped(TaskInFullSerializer, shown | {"stage": stage}))

    @extend_schema(responses=OpenApiTypes.ANY)
    @action(detail=True)
    def result(self, request: Request, job: str, stage: str, index: str) -> HttpResponseBase:
        """Return the result of a task."""
        stage_id, number = found_stage(job, stage), found_index(index)
        pieces = result_pieces(stage_id, number)
        if pieces is None:
            raise _no_result(stage_id, number)
        return in_pieces(pieces)


def _no_result(stage: int, index: int) -> NotFound:
    shown = task(stage, index)
    return NotFound(f"The task is {shown['state']} and has no result.") if shown else no_task(index)


def _wanted(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {**request.query_params.dict(), "state": request.query_params.getlist("state")}
    wanted = WantedSerializer(data=asked)
    wanted.is_valid(raise_exception=True)
    validated: dict[str, Any] = wanted.validated_data
    return validated


def _page(request: Request, stages: dict[str, int], wanted: dict[str, Any]) -> Response:
    limit = min(wanted["limit"], MOST)
    states = [TaskState[name] for name in wanted.get("state", ())]
    found = tasks(stages.values(), states=states, after=_place(wanted.get("cursor")), limit=limit + 1)
    shown = with_stage_names(found[:limit], {id_: name for name, id_ in stages.items()})
    following = _link(request, found[limit - 1]) if len(found) > limit else None
    return Response({"next": following, "previous": None, "results": [shaped(TaskSerializer, row) for row in shown]})


def _place(cursor: str | None) -> Place:
    if cursor is None:
        return BEFORE_ALL
    try:
        stage, index = base64.urlsafe_b64decode(cursor).decode("ascii").split(".")
        place = Place(int(stage), int(index))
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise INVALID_CURSOR from error
    if not (0 <= place.stage < 2**63 and 0 <= place.task < 2**31):
        raise INVALID_CURSOR
    return place


def _link(request: Request, last: dict[str, Any]) -> str:
    query = request.query_params.copy()
    query["cursor"] = base64.urlsafe_b64encode(f"{last['stage_id']}.{last['index']}".encode()).decode()
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
