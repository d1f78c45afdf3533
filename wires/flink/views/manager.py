"""The scheduler as Flink's jobmanager."""

import platform
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import get_script_prefix

from nodes import events
from status import configuration, process
from wires.flink.encode import manager
from wires.flink.views.base import TEXT, FlinkView, existing_job
from wires.reading import NotThere

#: Events that a log goes back to.
SHOWN = 1000


class ConfigView(FlinkView):
    """The settings of this installation, which are those of the scheduler of every job."""

    def get(self, request: HttpRequest, job: str | None = None) -> HttpResponse:
        """Tell those that are in effect, without secrets."""
        check_job(job)
        return self.told(manager.config(configuration.effective()))


class EnvironmentView(FlinkView):
    """What the process that answers runs in."""

    def get(self, request: HttpRequest, job: str | None = None) -> HttpResponse:
        """Name it."""
        check_job(job)
        version = f"{platform.python_implementation()} {platform.python_version()}"
        return self.told(manager.environment(version, platform.machine()))


class LogUrlView(FlinkView):
    """Where the log of the scheduler of a job is."""

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Return its address."""
        existing_job(job)
        return self.told({"url": absolute(request, "jobmanager/log")})


class LogView(FlinkView):
    """What happened to nodes and to the scheduler."""

    def get(self, request: HttpRequest, file: str = manager.LOG) -> HttpResponse:
        """Tell it, a line for each event."""
        return log_response(_told(), file)


class LogsView(FlinkView):
    """The logs that there are."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them."""
        return self.told(manager.logs(_told()))


class StdoutView(FlinkView):
    """What was written besides; nothing is."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell nothing."""
        return HttpResponse("", content_type=TEXT)


class ThreadDumpView(FlinkView):
    """The threads of the process that answers."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say where each of them stands."""
        return self.told(manager.threads(process.stacks().items()))


def check_job(given: str | None) -> None:
    """Refuse a path that names a job that there is not."""
    if given is not None:
        existing_job(given)


def absolute(request: HttpRequest, path: str) -> str:
    """Return the address of a path of this wire, as the client reaches it."""
    return request.build_absolute_uri(f"{get_script_prefix()}{path}")


def log_response(newest_first: list[dict[str, Any]], file: str) -> HttpResponse:
    """Return events as a log, if that is the one that is asked for."""
    if file != manager.LOG:
        raise NotThere(f"The file {file:.100} does not exist.")
    return HttpResponse(manager.log(newest_first), content_type=TEXT)


def _told() -> list[dict[str, Any]]:
    return list(events.of_nodes()[:SHOWN])
