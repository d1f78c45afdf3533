"""The scheduler, in both shapes, and the version."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import PUBLIC
from jobs.commands.submit import hint
from nodes import reading as nodes
from nodes import services
from wires.answering import answer, empty
from wires.base import WireView
from wires.scale import decode
from wires.scale.encode import scheduler as encode
from wires.scale.states import QUEUE_MODES
from wires.scale.views.base import OlderView, ScaleView

OURS = {theirs: ours for ours, theirs in QUEUE_MODES.items()}


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


class SchedulerView(ScaleView):
    """The scheduler."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        return answer(encode.scheduler(nodes.scheduler()))

    def patch(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume it, or choose how it works."""
        _change_scheduler(self, decode.scheduler(self.body()))
        return empty(204)


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
        if changes:
            services.change_scheduler(view.sender, **changes)
            transaction.on_commit(hint)
