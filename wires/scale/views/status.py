"""The status of the whole cluster, in both shapes."""

from django.http import HttpRequest, HttpResponse

from database.versions import migrated_at
from jobs.reading import snapshot
from jobs.telemetry import gauges
from nodes import reading as nodes
from nodes.totals import summary
from wires.answering import empty
from wires.scale.encode import scheduler as encode
from wires.scale.encode import status as of_status
from wires.scale.views.base import OlderView, ScaleView, browsable, master, scheduler

#: Seconds for which a survey counts, and the header that says why there is none; the texts are those of Scale 7.
FRESH = 12.0
REASON = "X-Status-Reason"
MISSING, STALE = "Status is missing. Scheduler may be down.", "Status is over 12 seconds old"


class OlderStatusView(OlderView):
    """The whole cluster."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell of it as it is now."""
        return browsable(
            request,
            encode.older_status(
                nodes.scheduler(),
                summary().resources,
                master=master(request),
                leading=scheduler(request),
                queued=gauges.pending(),
            ),
        )


class StatusView(ScaleView):
    """The whole cluster."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell of it, unless the last survey is missing or too old: then only why, in a header."""
        survey = snapshot.survey()
        if survey is None or survey.age_seconds > FRESH:
            return empty(204, {REASON: MISSING if survey is None else STALE})
        return browsable(
            request,
            of_status.status(
                of_status.Cluster(
                    at=survey.at,
                    rates=survey.rates,
                    switches=nodes.scheduler(),
                    leading=scheduler(request),
                    master=master(request),
                    migrated=migrated_at(),
                    types=snapshot.types(),
                    nodes=nodes.completed(list(nodes.nodes())),
                    running=snapshot.running(),
                    ended=survey.ended,
                    cleaned=survey.cleaned,
                )
            ),
        )
