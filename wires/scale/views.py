"""Scale's routes: parse, ask one selector or service, encode."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from access import audit
from access.roles import Role
from access.rules import PUBLIC, Rule
from jobs import figures, selectors
from jobs.submitting import hint
from nodes import services
from nodes import showing as nodes
from nodes.summing import summary
from wires.answering import answer
from wires.base import WireView
from wires.scale import decode
from wires.scale.encode import scheduler as encode
from wires.scale.errors import OLDER, WIRE
from wires.scale.states import QUEUE_MODES

OURS = {theirs: ours for ours, theirs in QUEUE_MODES.items()}


class OlderView(WireView):
    """A view of the older shapes, for viewers."""

    wire = OLDER
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}


class ScaleView(WireView):
    """A view of the newer shapes, for viewers; what a body may not say is told as a mere text in JSON."""

    wire = WIRE
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}

    def _handled(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            return super()._handled(request, **kwargs)
        except decode.Unacceptable as error:
            return answer(str(error), 400)


class OlderSchedulerView(OlderView):
    """The scheduler, of which this shape knows whether it is paused."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        return answer(encode.older_scheduler(nodes.scheduler()))

    def patch(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume it."""
        _change_scheduler(self, decode.older_scheduler(self.body()))
        changed = answer(encode.older_scheduler(nodes.scheduler()), 201)
        changed["Location"] = request.build_absolute_uri()
        return changed


class OlderStatusView(OlderView):
    """The whole cluster."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell of it as it is now."""
        return answer(
            encode.older_status(
                nodes.scheduler(), summary().resources, master=_master(request), host=_host(), queued=figures.pending()
            )
        )


class SchedulerView(ScaleView):
    """The scheduler."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        return answer(encode.scheduler(nodes.scheduler()))

    def patch(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume it, or choose how it works."""
        _change_scheduler(self, decode.scheduler(self.body()))
        return HttpResponse(status=204)


class VersionView(ScaleView):
    """The version of this product, for anybody: clients ask for it before they log in."""

    rules = {"get": PUBLIC}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Name it."""
        return answer(encode.version(settings.VERSION))


def _change_scheduler(view: WireView, wanted: decode.SchedulerChange) -> None:
    """Change what is to be otherwise than it is."""
    with transaction.atomic():
        now = nodes.scheduler()
        asked = {
            "paused": wanted.is_paused,
            "allocation": wanted.queue_mode and OURS[wanted.queue_mode],
            "message_handlers": wanted.message_handlers,
            "log_level": wanted.log_level,
        }
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value not in (None, now[name])}
        if not changes:
            return
        audit.record(view.sender, "scheduler.change", "scheduler", **changes)
        transaction.on_commit(hint)
        paused = changes.pop("paused", None)
        if paused is not None:
            services.pause_scheduler("") if paused else services.resume_scheduler()
        if changes:
            services.set_policy(**changes)


def _master(request: HttpRequest) -> encode.Address:
    """Return where this API answers, as the client names it."""
    host = urlsplit(f"//{request.get_host()}")
    return encode.Address(host.hostname or "localhost", host.port or (443 if request.is_secure() else 80))


def _host() -> str | None:
    """Return the host of the scheduler worker that leads, None while none does."""
    leader = selectors.leader()
    return leader.host if leader.alive else None
