"""Nodes: the list, single nodes, and changes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from access.identifying import Identity
from access.roles import Role
from nodes import reading as nodes
from nodes import services
from wires.answering import answer, empty
from wires.reading import NotThere
from wires.scale import decode
from wires.scale.encode import nodes as of_nodes
from wires.scale.views.base import ScaleView

#: A command for a node.
Change = Callable[[Identity, int], object]


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
            for change in _changes(row, wanted):
                change(self.sender, row["id"])
        return self.changed(row["id"])

    def changed(self, id_: int) -> HttpResponse:
        """Return the answer to a change."""
        return empty(204)


class OlderNodeView(NodeView):
    """One node, of which v5 tells what a change has made of it."""

    def changed(self, id_: int) -> HttpResponse:
        """Return the answer to a change."""
        return answer(of_nodes.node(_found(id_)))


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
            yield services.resume
    elif wanted.is_paused and not paused:
        yield lambda by, id_: services.pause(by, id_, reason)
    elif reason != row["pause_reason"]:
        yield lambda by, id_: services.explain_pause(by, id_, reason)
    if wanted.is_active is False and row["active"]:
        yield lambda by, id_: services.deactivate(by, id_, wanted.pause_reason or "")
    elif wanted.is_active and not row["active"]:
        yield services.activate
