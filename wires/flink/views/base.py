"""Common parts of this wire's views: permissions, the three shapes, and objects named by paths."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from time import time
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from access.roles import Role
from access.rules import Rule
from jobs.reading import counts
from jobs.reading.progress import Progress, stage
from nodes import reading as nodes
from wires.answering import answer, in_pieces
from wires.base import WireView
from wires.flink import decode, ids
from wires.flink.encode.nodes import is_taskmanager
from wires.flink.errors import JSON, WIRE
from wires.reading import NotThere

Shape = Callable[[dict[str, Any]], dict[str, Any]]
TEXT = "text/plain; charset=UTF-8"


class FlinkView(WireView):
    """A view of this wire, for viewers."""

    wire = WIRE
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request; errors of the older API are plain text."""
        made = super().dispatch(request, *args, **kwargs)
        patch_vary_headers(made, ["Accept", "User-Agent"])
        if self.legacy and isinstance(made, HttpResponse) and made.status_code >= HTTPStatus.BAD_REQUEST:
            made.content, made["Content-Type"] = json.loads(made.content)["errors"][0], TEXT
        return made

    @cached_property
    def legacy(self) -> bool:
        """Say whether the older shapes are asked for."""
        return decode.is_legacy(self.request.headers.get("Accept", ""), self.request.GET)

    def shape(self, older: Shape | None = None, typed: Shape | None = None) -> Shape:
        """Return what makes of the newest shape the one that is asked for."""
        if self.legacy and older:
            return older
        later = settings.FLINK_LATER_KEYS or decode.is_page(self.request.headers.get("User-Agent", ""))
        return typed if typed and not later else _as_it_is

    def told(
        self, new: Any, older: Shape | None = None, typed: Shape | None = None, *, status: int = HTTPStatus.OK
    ) -> HttpResponse:
        """Return an answer in the shape that is asked for."""
        return answer(self.shape(older, typed)(new), status, content_type=JSON)

    def in_pieces(self, texts: Iterator[str]) -> HttpResponseBase:
        """Return an answer that is made while it is sent, if it is long."""
        return in_pieces(texts, content_type=JSON)


def now_ms() -> int:
    """Return the time, in milliseconds since 1970."""
    return round(time() * 1000)


def existing_job(given: str) -> UUID:
    """Return the id of a job that there is."""
    id_ = ids.to_job(given)
    if counts.state(id_) is None:
        raise no_job(given)
    return id_


def found_job(given: str) -> counts.Tally:
    """Return the job that a path names."""
    found = counts.tally(ids.to_job(given))
    if found is None:
        raise no_job(given)
    return found


def found_stage(job: str, vertex: str) -> Progress:
    """Return the stage that a path names."""
    id_, stage_id = ids.to_job(job), ids.to_stage(vertex)
    found = stage(id_, stage_id)
    if found is None:
        raise NotThere("JobVertex ID not found") if counts.state(id_) is not None else no_job(job)
    return found


def found_node(given: str) -> dict[str, Any]:
    """Return the node that a path names, if it is there."""
    found = nodes.node(str(ids.to_node(given)))
    if found is None or not is_taskmanager(found):
        raise NotThere(f"No TaskExecutor registered under {given:.100}.")
    return found


def no_job(given: str) -> NotThere:
    """Return the error of a job that there is not."""
    return NotThere(f"Job {given:.100} not found")


def _as_it_is(new: dict[str, Any]) -> dict[str, Any]:
    return new
