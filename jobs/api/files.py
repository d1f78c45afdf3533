"""Files that tasks hand on: lists of them, and downloads."""

from pathlib import PurePosixPath
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import Ruled
from access.roles import Role
from jobs.api.finding import found_index, found_stage, no_task
from jobs.api.pieces import as_file
from jobs.api.serializers import FileSerializer, shaped
from jobs.reading.tasks import files


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
                return as_file(file["digest"], PurePosixPath(path).name)
        raise NotFound(f"Task {index} hands on no file {path} as {output}.")


def _found(job: str, stage: str, index: str) -> list[dict[str, Any]]:
    stage_id, number = found_stage(job, stage), found_index(index)
    found = files(stage_id, number)
    if found is None:
        raise no_task(index)
    return found
