"""Pages about the cluster as a whole: the overview, the jobs, the nodes. One is in job_pages or node_pages.

To add a page: a view here or there, its route in page_urls, its template in templates/ui.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from access.rules import PUBLIC, requires
from jobs.api.filters import JOB_STATES, JobFilter
from jobs.reading import jobs as job_reading
from jobs.reading import selectors
from jobs.reading import totals as jobs_summing
from nodes import events
from nodes import reading as nodes_showing
from nodes import totals as nodes_summing
from status.answering import answer, page

RECENT = 10
JOBS_A_PAGE = 50
NODES_A_PAGE = 100
EVENTS = 20


@requires(PUBLIC)
def root(request: HttpRequest) -> HttpResponse:
    """Lead browsers to the pages; anything else finds nothing here."""
    if request.accepts("text/html") and request.method in ("GET", "HEAD"):
        return HttpResponseRedirect(reverse("ui-overview"))
    raise Http404


@page
def overview(request: HttpRequest) -> HttpResponse:
    """The cluster at a glance."""
    context = {
        "jobs": jobs_summing.summary(),
        "cluster": nodes_summing.summary(),
        "scheduler": nodes_showing.scheduler(),
        "leader": selectors.leader(),
        "recent": job_reading.completed(list(job_reading.jobs()[:RECENT])),
    }
    return answer(request, "overview", context)


@page
def jobs(request: HttpRequest) -> HttpResponse:
    """All jobs, newest first, by search and state."""
    found = JobFilter(request.GET, queryset=job_reading.jobs())
    before = request.GET.get("before", "")
    listed = found.qs.filter(number__lt=int(before)) if _is_number(before) else found.qs
    rows = list(listed[: JOBS_A_PAGE + 1])
    shown = rows[:JOBS_A_PAGE]
    context = {
        "jobs": job_reading.completed(shown),
        "search": request.GET.get("search", ""),
        "chosen": request.GET.getlist("state"),
        "states": [name for name, _ in JOB_STATES],
        "errors": [error for errors in found.errors.values() for error in errors],
        "narrowed": any(request.GET.get(name) for name in JobFilter.base_filters),
        "older": _with(request, before=shown[-1]["number"]) if len(rows) > JOBS_A_PAGE else None,
        "newest": _with(request, before=None) if before else None,
        "here": request.get_full_path(),
    }
    return answer(request, "jobs", context)


@page
def nodes(request: HttpRequest) -> HttpResponse:
    """All nodes, with what they have and hold."""
    after = request.GET.get("after", "")
    rows = list(nodes_showing.nodes().filter(name__gt=after)[: NODES_A_PAGE + 1])
    shown = nodes_showing.completed(rows[:NODES_A_PAGE])
    context = {
        "nodes": shown,
        "events": events.named(events.of_nodes()[:EVENTS]),
        "scheduler": nodes_showing.scheduler(),
        "leader": selectors.leader(),
        "more": _with(request, after=shown[-1]["name"]) if len(rows) > NODES_A_PAGE else None,
        "first": _with(request, after=None) if after else None,
        "here": request.get_full_path(),
    }
    return answer(request, "nodes", context)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _with(request: HttpRequest, **changes: Any) -> str:
    """Return the query of this page with some parameters changed, or left out where they are None."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"
