"""Scale's routes: parse, ask one selector or service, encode."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from access import audit
from access.roles import Role
from access.rules import PUBLIC, Rule
from database.versions import migrated_at
from jobs import figures, selectors, showing_survey
from jobs.submitting import hint
from nodes import services
from nodes import showing as nodes
from nodes.summing import summary
from status.policy import HEADER, POLICY
from wires.answering import answer
from wires.base import WireView
from wires.reading import NotThere
from wires.scale import decode
from wires.scale.encode import nodes as of_nodes
from wires.scale.encode import scheduler as encode
from wires.scale.encode import status as of_status
from wires.scale.errors import OLDER, WIRE
from wires.scale.states import QUEUE_MODES

#: What is done to a node, as the audit calls it; how, and what is audited with it.
Change = tuple[str, Callable[[int], object], dict[str, str]]
#: Seconds for which a survey counts, and the header that says why there is none; the texts are those of Scale 7.
FRESH = 12.0
REASON = "X-Status-Reason"
MISSING, STALE = "Status is missing. Scheduler may be down.", "Status is over 12 seconds old"
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
        return _browsable(
            request,
            encode.older_status(
                nodes.scheduler(), summary().resources, master=_master(request), host=_host(), queued=figures.pending()
            ),
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


class StatusView(ScaleView):
    """The whole cluster."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell of it, unless the last survey is missing or too old: then only why, in a header."""
        survey = showing_survey.survey()
        if survey is None or survey.age_seconds > FRESH:
            return HttpResponse(status=204, headers={REASON: MISSING if survey is None else STALE})
        return _browsable(
            request,
            of_status.status(
                of_status.Cluster(
                    at=survey.at,
                    rates=survey.rates,
                    switches=nodes.scheduler(),
                    host=_host(),
                    master=_master(request),
                    migrated=migrated_at(),
                    types=[(each.id, each.name, each.version) for each in showing_survey.types()],
                    nodes=nodes.completed(list(nodes.nodes())),
                    running=showing_survey.running(),
                    ended=survey.ended,
                )
            ),
        )


class NodesView(ScaleView):
    """All nodes."""

    read = staticmethod(decode.nodes)

    def get(self, request: HttpRequest) -> HttpResponse:
        """List those that are asked for, a page at a time."""

        def link(page: int) -> str:
            query = request.GET.copy()
            query["page"] = str(page)
            return request.build_absolute_uri(f"?{query.urlencode()}")

        wanted = self.read(request.GET, request.GET.getlist("order"), now=timezone.now())
        shown = of_nodes.page(of_nodes.chosen(nodes.dated(), wanted), wanted, link)
        if shown is None:
            raise NotThere
        return answer(shown)


class OlderNodesView(NodesView):
    """All nodes, in v5 without those that are not active."""

    read = staticmethod(decode.older_nodes)


class NodeView(ScaleView):
    """One node."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    def get(self, request: HttpRequest, node: str) -> HttpResponse:
        """Show it."""
        return answer(of_nodes.node(_found(decode.number(node))))

    def patch(self, request: HttpRequest, node: str) -> HttpResponse:
        """Pause it, take it out, or back."""
        wanted = decode.node(self.body())
        with transaction.atomic():
            row = _found(decode.number(node))
            for did, change, details in _changes(row, wanted):
                change(row["id"])
                audit.record(self.sender, f"node.{did}", row["name"], **details)
        return self.changed(row["id"])

    def changed(self, id_: int) -> HttpResponse:
        """Return the answer to a change."""
        return HttpResponse(status=204)


class OlderNodeView(NodeView):
    """One node, of which v5 tells what a change has made of it."""

    def changed(self, id_: int) -> HttpResponse:
        """Return the answer to a change."""
        return answer(of_nodes.node(_found(id_)))


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


def _found(id_: int | None) -> dict[str, Any]:
    row = None if id_ is None else nodes.node(str(id_))
    if row is None:
        raise NotThere
    return row


def _changes(row: Mapping[str, Any], wanted: decode.NodeChange) -> Iterator[Change]:
    """Return what is to be done so that a node becomes as it is wanted; nothing for what it is already."""
    paused, reason = of_nodes.is_paused(row), row["pause_reason"] if wanted.pause_reason is None else wanted.pause_reason
    if wanted.is_paused is False:
        if paused or row["pause_reason"]:
            yield "resume", services.resume, {}
    elif wanted.is_paused and not paused:
        yield "pause", lambda id_: services.pause(id_, reason), {"reason": reason}
    elif reason != row["pause_reason"]:
        yield "explain", lambda id_: services.explain_pause(id_, reason), {"reason": reason}
    if wanted.is_active is False and row["active"]:
        yield "deactivate", lambda id_: services.deactivate(id_, wanted.pause_reason or ""), {}
    elif wanted.is_active and not row["active"]:
        yield "activate", services.activate, {}


def _browsable(request: HttpRequest, value: dict[str, Any]) -> HttpResponse:
    """Return an answer as JSON, or as a page for people to whose program that is dearer."""
    if request.get_preferred_type(["application/json", "text/html"]) != "text/html":
        told = answer(value)
    else:
        text = json.dumps(value, indent=4, ensure_ascii=False)
        told = render(request, "wires/scale/status.html", {"path": request.get_full_path(), "text": text})
        told[HEADER] = POLICY
    patch_vary_headers(told, ["Accept"])
    return told


def _master(request: HttpRequest) -> encode.Address:
    """Return where this API answers, as the client names it."""
    host = urlsplit(f"//{request.get_host()}")
    return encode.Address(host.hostname or "localhost", host.port or (443 if request.is_secure() else 80))


def _host() -> str | None:
    """Return the host of the scheduler worker that leads, None while none does."""
    leader = selectors.leader()
    return leader.host if leader.alive else None
