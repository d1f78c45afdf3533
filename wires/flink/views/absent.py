"""Routes of Flink that are not served. Each answer names the missing feature and, if there is one, an alternative."""

from collections.abc import Mapping
from typing import ClassVar

from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import Rule
from wires.flink import ids
from wires.flink.errors import NotServed
from wires.flink.views.base import FlinkView
from wires.reading import NotThere

NOT_RESCALED = "The parallelism of a job cannot be changed here while it runs."


class AbsentView(FlinkView):
    """A route that is known and not served."""

    missing: ClassVar[str]

    def refuse(self, request: HttpRequest, job: str = "0" * 32, **_: str) -> HttpResponse:
        """Say what is missing."""
        ids.to_job(job)
        raise NotServed(self.missing)


class RescalingView(AbsentView):
    """A change of the parallelism of a job."""

    rules: ClassVar[Mapping[str, Rule]] = {"patch": Role.OPERATOR}
    missing = NOT_RESCALED
    patch = AbsentView.refuse


class RequirementsView(AbsentView):
    """The bounds of the parallelism of a job."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER, "put": Role.OPERATOR}
    missing = NOT_RESCALED
    get = put = AbsentView.refuse


class PollView(FlinkView):
    """Something that was triggered; nothing can be."""

    def get(self, request: HttpRequest, trigger: str, job: str = "0" * 32) -> HttpResponse:
        """Say that it is not known."""
        ids.to_job(job)
        raise NotThere(f"Operation not found under key {ids.to_trigger(trigger)}")
