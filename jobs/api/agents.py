"""HTTP requests of agents while they run tasks: they fetch inputs and store output, with their node's token."""

from typing import Annotated, Any, TypeVar

import msgspec
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from access.drf import pieces_of
from access.roles import Role
from artifacts import storing
from artifacts.errors import Gap
from artifacts.logs import LogKey, Stream, logs
from artifacts.storage import storage
from jobs.api.pieces import as_file, in_pieces
from jobs.commands.submit import hint
from jobs.inbox import Hint
from jobs.leader import descriptions
from jobs.reading import reach, selectors
from jobs.store import files, items, results, states
from nodes.agent_api import AgentView
from switchyard.scheduling.indexes import IndexSet

T = TypeVar("T")
LARGEST_ID = 2**63 - 1
#: Tasks whose states are kept or read by one request.
MOST_STATES = 10_000
LARGEST_INDEX = 2**31 - 1


class SpanSerializer(serializers.Serializer[Any]):
    """A range of tasks."""

    low = serializers.IntegerField(min_value=0, max_value=LARGEST_INDEX)
    high = serializers.IntegerField(min_value=0, max_value=LARGEST_INDEX)


class OffsetSerializer(serializers.Serializer[Any]):
    """Where bytes belong."""

    offset = serializers.IntegerField(min_value=0, max_value=LARGEST_ID)


class TasksSerializer(serializers.Serializer[Any]):
    """Ranges of tasks, such as 0-3,7-9."""

    tasks = serializers.RegexField(r"^[0-9]{1,10}-[0-9]{1,10}(,[0-9]{1,10}-[0-9]{1,10})*$", max_length=8 * 1024)

    def validate_tasks(self, text: str) -> IndexSet:
        """Return the set; refuse indexes that no task has."""
        tasks = IndexSet.of([int(index) for index in span.split("-")] for span in text.split(","))
        if tasks and tasks.ranges[-1][1] > LARGEST_INDEX:
            raise serializers.ValidationError("no task has such an index")
        return tasks


class DescriptionView(AgentView):
    """Stages, as agents are told of them."""

    rules = {"get": Role.AGENT}

    def get(self, request: Request, stage: int) -> Response:
        """Return the description of a stage that was too long for a message."""
        reach.require_stage(self.node, _sane(stage))
        described = descriptions.description_of(stage)
        if described is None:
            raise NotFound
        return Response(described)


class InputsView(AgentView):
    """The inputs of stages."""

    rules = {"get": Role.AGENT}
    parameters = {"get": ("tasks",)}

    def get(self, request: Request, stage: int, producer: int) -> HttpResponseBase:
        """Return what a stage gets from some tasks of one that it needs, as far as these have ended."""
        asked = TasksSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        reach.require_stage(self.node, _sane(stage))
        outcomes = results.outcomes_of(stage, _sane(producer), asked.validated_data["tasks"])
        if outcomes is None:
            raise NotFound
        return in_pieces(outcomes)


class StoredInputView(AgentView):
    """Large inputs of stages."""

    rules = {"get": Role.AGENT}

    def get(self, request: Request, stage: int, producer: int, index: int) -> HttpResponseBase:
        """Return, in pieces, a stored result of a task that a stage needs."""
        reach.require_stage(self.node, _sane(stage))
        digest = results.stored_input(stage, _sane(producer), index) if index <= LARGEST_INDEX else None
        if digest is None:
            raise NotFound
        length = storage().size(digest)
        return StreamingHttpResponse(
            storage().pieces(digest), content_type="application/json", headers={"Content-Length": str(length)}
        )


class HandedFileView(AgentView):
    """Files that tasks of other stages hand on."""

    rules = {"get": Role.AGENT}

    def get(self, request: Request, stage: int, producer: int, index: int, digest: str) -> HttpResponseBase:
        """Return, in pieces, a file of a task that a stage needs."""
        reach.require_stage(self.node, _sane(stage))
        if index > LARGEST_INDEX or not files.is_handed(stage, _sane(producer), index, digest):
            raise NotFound
        return as_file(request._request, digest)


class FilesView(AgentView):
    """The files of stages."""

    rules = {"get": Role.AGENT}

    def get(self, request: Request, stage: int) -> Response:
        """Return the text files that a stage brings along, by path."""
        reach.require_stage(self.node, _sane(stage))
        brought = selectors.files_of(stage)
        if brought is None:
            raise NotFound
        return Response(brought)


class Saved(msgspec.Struct):
    """States of tasks of a stage."""

    checkpoint: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None
    digest: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")]
    states: Annotated[list[states.State], msgspec.Meta(min_length=1, max_length=MOST_STATES)]


class Chosen(msgspec.Struct):
    """Some tasks of a stage."""

    tasks: Annotated[list[states.Index], msgspec.Meta(max_length=MOST_STATES)]


class StatesView(AgentView):
    """The states that tasks of stages save, and go on from."""

    rules = {"get": Role.AGENT, "post": Role.AGENT}
    parameters = {"get": ("low", "high")}

    def get(self, request: Request, stage: int) -> Response:
        """Return the states that a range of a stage's tasks go on from, by the artifact that holds them."""
        span = SpanSerializer(data=request.query_params)
        span.is_valid(raise_exception=True)
        reach.require_stage(self.node, _sane(stage))
        last = states.last(stage, **span.validated_data)
        return Response({"kept": [[kept.id, msgspec.to_builtins(kept.states)] for kept in last]})

    def post(self, request: Request, stage: int) -> Response:
        """Keep states of tasks that run on the node, and return of which."""
        told = _read(request, Saved)
        reach.require_stage(self.node, _sane(stage))
        kept = states.keep(self.node, stage, told.checkpoint, told.digest, told.states)
        if told.checkpoint is not None and kept:
            hint(Hint.CHECKPOINT)
        return Response({"kept": kept.to_json()})


class StoredStatesView(AgentView):
    """The bytes of states."""

    rules = {"post": Role.AGENT}

    def post(self, request: Request, stage: int, kept: int) -> HttpResponseBase:
        """Return, in pieces, the states of some tasks that are in one artifact, one behind the other."""
        chosen = _read(request, Chosen)
        reach.require_stage(self.node, _sane(stage))
        found = states.some(stage, _sane(kept), IndexSet.from_indexes(sorted(chosen.tasks)))
        if found is None:
            raise NotFound
        length = sum(high - low for low, high in states.spans(found.states))
        pieces = states.cut(storage().pieces(found.digest), found.states) if length else iter(())
        headers = {"Content-Length": str(length)}
        return StreamingHttpResponse(pieces, content_type="application/octet-stream", headers=headers)


class ProgramView(AgentView):
    """The programs of stages."""

    rules = {"get": Role.AGENT}

    def get(self, request: Request, stage: int, digest: str) -> HttpResponseBase:
        """Return, in pieces, the program that a stage brings along."""
        reach.require_stage(self.node, _sane(stage))
        if selectors.program_of(stage) != digest:
            raise NotFound
        return as_file(request._request, digest)


class ItemsView(AgentView):
    """The items that a stage runs over."""

    rules = {"get": Role.AGENT}
    parameters = {"get": ("low", "high")}

    def get(self, request: Request, stage: int) -> Response:
        """Return the items of a range of a stage's tasks."""
        span = SpanSerializer(data=request.query_params)
        span.is_valid(raise_exception=True)
        reach.require_stage(self.node, _sane(stage))
        return Response({"items": items.read(stage, **span.validated_data)})


class ArtifactView(AgentView):
    """Artifacts by digest."""

    rules = {"get": Role.AGENT, "put": Role.AGENT}
    parameters = {"put": ("offset",)}
    streamed = {"put": "LARGEST_ARTIFACT"}

    def get(self, request: Request, digest: str) -> Response:
        """Say whether an artifact is stored, which stays for a day then; if not, how much of it has come from this node."""
        if storing.keep(digest):
            return Response({"stored": True})
        return Response({"stored": False, "offset": storing.received(digest, str(self.node))})

    def put(self, request: Request, digest: str) -> Response:
        """Keep bytes under their SHA-256 digest; from an offset on if an upload broke off there."""
        asked = OffsetSerializer(data={"offset": 0, **request.query_params.dict()})
        asked.is_valid(raise_exception=True)
        try:
            new = storing.store(digest, pieces_of(request), sender=str(self.node), offset=asked.validated_data["offset"])
        except Gap as gap:
            return Response(_gap(gap), status.HTTP_409_CONFLICT)
        return Response(status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)


class AgentLogView(AgentView):
    """Logs of attempts."""

    rules = {"post": Role.AGENT}
    parameters = {"post": ("offset",)}

    def post(self, request: Request, stage: str, index: str, attempt: str, stream: str) -> Response:
        """Append what a log lacks of the bytes at an offset."""
        offset = OffsetSerializer(data=request.query_params)
        offset.is_valid(raise_exception=True)
        key = LogKey(int(stage), int(index), int(attempt), Stream(stream))
        if max(key.index, key.attempt) > LARGEST_INDEX:
            raise NotFound
        reach.require_attempt(self.node, _sane(key.stage), key.index, key.attempt)
        try:
            size = logs().append(key, offset.validated_data["offset"], request._request.body)
        except Gap as gap:
            return Response(_gap(gap), status.HTTP_409_CONFLICT)
        return Response({"size": size})


def _read(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.convert(request.data, kind)
    except msgspec.ValidationError as error:
        raise serializers.ValidationError(str(error)) from None


def _sane(id_: int) -> int:
    if id_ > LARGEST_ID:
        raise NotFound
    return id_


def _gap(gap: Gap) -> dict[str, Any]:
    error = {"code": "gap", "detail": str(gap), "attr": "offset"}
    return {"type": "client_error", "errors": [error], "size": gap.size}
