"""Files that tasks hand on: lists of them, and downloads."""

from pathlib import PurePosixPath
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import Ruled
from access.roles import Role
from jobs.api.finding import found_index, found_job, found_stage, no_stage, no_task
from jobs.api.pieces import as_file
from jobs.api.serializers import FileOfJobSerializer, FilePageSerializer, FileSerializer, shaped
from jobs.api.tasks import INVALID_CURSOR, MOST, PAGE
from jobs.reading.files import BEFORE_ALL, FilePlace, files, files_of_job, read_place
from jobs.reading.stages import stage_ids


class AskedSerializer(serializers.Serializer[Any]):
    """What a list of files is asked for."""

    stage = serializers.CharField(max_length=100, default="")
    output = serializers.CharField(max_length=100, default="")
    cursor = serializers.CharField(max_length=100, required=False)
    limit = serializers.IntegerField(min_value=1, default=PAGE)


class JobFilesView(Ruled, APIView):
    """The files that the tasks of a job hand on."""

    rules = {"get": Role.VIEWER}
    parameters = {"get": ("stage", "output", "cursor", "limit")}

    @extend_schema(
        responses=FilePageSerializer,
        parameters=[OpenApiParameter(name, str) for name in ("stage", "output", "cursor")] + [OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, job: str) -> Response:
        """List the files that the tasks of a job hand on, by stage, task and name."""
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        id_, limit = found_job(job), min(wanted["limit"], MOST)
        if wanted["stage"] and wanted["stage"] not in stage_ids(id_):
            raise no_stage(wanted["stage"])
        after = read_place(wanted["cursor"]) if "cursor" in wanted else BEFORE_ALL
        if after is None:
            raise INVALID_CURSOR
        found = files_of_job(id_, stage=wanted["stage"], output=wanted["output"], after=after, limit=limit + 1)
        following = _link(request, found[limit - 1][0]) if len(found) > limit else None
        shown = [shaped(FileOfJobSerializer, file) for _, file in found[:limit]]
        return Response({"next": following, "previous": None, "results": shown})


class FilesView(Ruled, APIView):
    """The files that a task hands on."""

    rules = {"get": Role.VIEWER}

    @extend_schema(responses=FileSerializer(many=True))
    def get(self, request: Request, job: str, stage: str, index: str) -> Response:
        """List the files that a task hands on; none before it has finished."""
        return Response([shaped(FileSerializer, file) for file in _found(job, stage, index)])


class FileView(Ruled, APIView):
    """A file that a task hands on."""

    rules = {"get": Role.VIEWER}

    @extend_schema(responses={(200, "application/octet-stream"): bytes})
    def get(self, request: Request, job: str, stage: str, index: str, output: str, path: str) -> HttpResponseBase:
        """Download a file, by its output and path."""
        for file in _found(job, stage, index):
            if (file["output"], file["path"]) == (output, path):
                return as_file(request._request, file["digest"], PurePosixPath(path).name)
        raise NotFound(f"Task {index} hands on no file {path} as {output}.")


def _found(job: str, stage: str, index: str) -> list[dict[str, Any]]:
    stage_id, number = found_stage(job, stage), found_index(index)
    found = files(stage_id, number)
    if found is None:
        raise no_task(index)
    return found


def _link(request: Request, last: FilePlace) -> str:
    query = request.query_params.copy()
    query["cursor"] = last.text
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
