"""Logs: the output of attempts as raw bytes."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from access.drf import Ruled
from access.roles import Role
from artifacts.logs import LogKey, Stream, logs
from database import rows
from jobs.api.finding import found_index, found_stage, no_task
from jobs.reading.tasks import attempt_of

MOST = 1024 * 1024
LARGEST_OFFSET = 2**62
#: An attempt that ended so long ago has sent what it will, whatever it said that it wrote.
SETTLED = timedelta(seconds=60)


class RangeSerializer(serializers.Serializer[Any]):
    """Which part of a log is asked for."""

    offset = serializers.IntegerField(min_value=0, max_value=LARGEST_OFFSET, default=0)
    limit = serializers.IntegerField(min_value=1, default=MOST)
    tail = serializers.IntegerField(min_value=1, max_value=LARGEST_OFFSET, required=False)
    attempt = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)


class LogView(Ruled, APIView):
    """What an attempt wrote to one of its streams."""

    rules = {"get": Role.VIEWER}
    parameters = {"get": tuple(RangeSerializer().fields)}

    @extend_schema(
        responses={(200, "text/plain"): bytes},
        parameters=[OpenApiParameter(name, int) for name in ("offset", "limit", "tail", "attempt")],
    )
    def get(self, request: Request, job: str, stage: str, index: str, stream: str) -> HttpResponse:
        """Return a part of a log, by bytes or its last lines; the headers tell how to go on."""
        asked = RangeSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        stage_id, task = found_stage(job, stage), found_index(index)
        attempt = attempt_of(stage_id, task, asked.validated_data.get("attempt"))
        if attempt is None:
            number = asked.validated_data.get("attempt")
            raise no_task(task) if number is None else NotFound(f"Task {task} has no attempt {number}.")
        return _answer(LogKey(stage_id, task, attempt["attempt"], Stream(stream)), attempt, asked.validated_data)


def _answer(key: LogKey, attempt: dict[str, Any], asked: dict[str, Any]) -> HttpResponse:
    size = logs().size(key)
    offset, data = _tail(key, size, asked["tail"]) if "tail" in asked else _range(key, asked)
    headers = {
        "X-Log-Offset": str(offset),
        "X-Log-Next": str(offset + len(data)),
        "X-Log-Size": str(max(size, offset + len(data) if data else 0)),
        "X-Log-Ended": "true" if _has_ended(attempt, key.stream, size) else "false",
        "Cache-Control": "no-store",
    }
    return HttpResponse(data, content_type="text/plain; charset=utf-8", headers=headers)


def _range(key: LogKey, asked: dict[str, Any]) -> tuple[int, bytes]:
    return asked["offset"], logs().read(key, asked["offset"], min(asked["limit"], MOST))


def _tail(key: LogKey, size: int, lines: int) -> tuple[int, bytes]:
    begin = max(0, size - MOST)
    data = logs().read(key, begin, size - begin)
    at = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return begin, data
    return begin + at + 1, data[at + 1 :]


def _has_ended(attempt: dict[str, Any], stream: Stream, size: int) -> bool:
    ended = attempt["ended_at"]
    if ended is None:
        return False
    written = ((attempt["logs"] or {}).get(stream.value) or {}).get("bytes", 0)
    return bool(size >= written or rows.now() - ended > SETTLED)
