"""The page of one node: where it stands, what it has and holds, what runs there, what happened to it."""

from django.http import HttpRequest, HttpResponse

from jobs.reading.work import work_on
from nodes import events
from nodes import reading as nodes_showing
from status.answering import answer, missing, page

TASKS = 50
EVENTS = 20


@page
def node(request: HttpRequest, key: str) -> HttpResponse:
    """One node, by its name or id."""
    shown = nodes_showing.node(key)
    if shown is None:
        return missing(request, "node")
    context = {
        "node": shown,
        "work": work_on(shown["id"], limit=TASKS),
        "events": events.events().filter(node_id=shown["id"])[:EVENTS],
        "here": request.get_full_path(),
    }
    return answer(request, "node", context)
