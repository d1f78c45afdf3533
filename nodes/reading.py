"""Nodes as plain values for lists and pages, by a fixed number of queries; selectors has the values for placement."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import BooleanField, Case, CharField, F, Q, QuerySet, Value, When

from nodes.models import Condition, Node, NodeResource, Scheduler

LARGEST_ID = 2**63 - 1
STATES = ("READY", "PAUSING", "PAUSED", "DRAINING", "DRAINED", "LEAVING", "DEAF", "SILENT", "GONE", "INACTIVE")
_FIELDS = (
    "id",
    "name",
    "hostname",
    "pool",
    "labels",
    "state",
    "active",
    "paused",
    "pause_reason",
    "draining",
    "slot_cpus",
    "session",
    "heard_at",
    "registered_at",
    "info",
    "figures",
    "created_at",
    "changed_at",
    "deactivated_at",
)
_SWITCHES = (
    "paused",
    "pause_reason",
    "strategy",
    "allocation",
    "allocation_of",
    "message_handlers",
    "log_level",
    "installation",
    "updated_at",
)
_CONFIRMED = Q(confirmed_pause__gte=F("pause_epoch"))
_STATE = Case(
    When(active=False, then=Value("INACTIVE")),
    When(session="", then=Value("GONE")),
    When(silent_since__isnull=False, then=Value("SILENT")),
    When(figures__leaving=True, then=Value("LEAVING")),
    When(Q(draining=True) & Q(holds=False), then=Value("DRAINED")),
    When(draining=True, then=Value("DRAINING")),
    When(Q(paused=True) & _CONFIRMED, then=Value("PAUSED")),
    When(paused=True, then=Value("PAUSING")),
    When(deaf_since__isnull=False, then=Value("DEAF")),
    default=Value("READY"),
    output_field=CharField(),
)


def nodes() -> QuerySet[Node, Any]:
    """Return what lists show of nodes, by name; pass the rows that are shown to `completed`."""
    found: QuerySet[Node, Any] = _with_state().order_by("name").values(*_FIELDS)
    return found


def node(key: str) -> dict[str, Any] | None:
    """Return what is shown of the node with this id or, if that is not a number, this name."""
    row = nodes().filter(_named(key)).first()
    return completed([row])[0] if row else None


def node_by_name(name: str) -> dict[str, Any] | None:
    """Return what is shown of the node with this very name."""
    row = nodes().filter(name=name).first()
    return completed([row])[0] if row else None


def dated() -> list[dict[str, Any]]:
    """Return what people decided about each node, and when that was."""
    fields = ("id", "name", "active", "paused", "draining", "pause_reason", "created_at", "changed_at", "deactivated_at")
    return list(Node.objects.values(*fields))


def completed(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add resources and conditions to rows of nodes, by two queries for all."""
    ids = [row["id"] for row in found]
    resources: dict[int, dict[str, dict[str, int]]] = {id_: {} for id_ in ids}
    for id_, name, total, held in NodeResource.objects.filter(node_id__in=ids).values_list(
        "node_id", "name", "total", "held"
    ):
        resources[id_][name] = {"total": total, "held": held}
    conditions: dict[int, list[dict[str, Any]]] = {id_: [] for id_ in ids}
    for condition in Condition.objects.filter(node_id__in=ids).order_by("started_at").values():
        conditions[condition["node_id"]].append(dict(condition))
    return [row | {"resources": resources[row["id"]], "conditions": conditions[row["id"]]} for row in found]


def names_of(ids: Collection[int]) -> dict[int, str]:
    """Return the names of nodes by id, also of those that were deleted."""
    names = dict(Node.objects.filter(id__in=ids).values_list("id", "name")) if ids else {}
    gone = set(ids) - names.keys()
    return names | (dict(_deleted().filter(id__in=gone).values_list("id", "name")) if gone else {})


def all_names() -> dict[int, str]:
    """Return the names of all nodes by id, also of those that were deleted."""
    return dict(Node.objects.values_list("id", "name").union(_deleted().values_list("id", "name")))


def node_named(key: str) -> QuerySet[Node, Any]:
    """Return the ids of the nodes with this id or name, at most one."""
    found: QuerySet[Node, Any] = Node.objects.filter(_named(key)).values("id")
    return found


def resources_by_node() -> list[tuple[str, str, int, int]]:
    """Return node, resource, total and held of all active nodes."""
    found = NodeResource.objects.filter(node__active=True).order_by("node__name", "name")
    return list(found.values_list("node__name", "name", "total", "held"))


def scheduler() -> dict[str, Any]:
    """Return the cluster-wide switches, and whether a pause has been confirmed by every agent with a session."""
    found = Scheduler.objects.values(*_SWITCHES)
    # Without the row nothing would work, so it is made again as it is made at first.
    row: dict[str, Any] = found.first() or found.get(id=Scheduler.objects.get_or_create(id=1)[0].id)
    state = "RUNNING"
    if row["paused"]:
        unconfirmed = Node.objects.exclude(session="").filter(~_CONFIRMED).exists()
        state = "PAUSING" if unconfirmed else "PAUSED"
    return row | {"state": state}


def _deleted() -> QuerySet[Any]:
    """Return the last that is remembered of nodes that were deleted."""
    found: QuerySet[Any] = Node.history.filter(history_type="-").order_by()
    return found


def _with_state() -> QuerySet[Node]:
    holding = NodeResource.objects.filter(held__gt=0).values("node_id")
    holds = Case(When(id__in=holding, then=Value(True)), default=Value(False), output_field=BooleanField())
    return Node.objects.annotate(holds=holds).annotate(state=_STATE)


def _named(key: str) -> Q:
    if key.isascii() and key.isdigit():
        return Q(id=int(key)) if len(key) < 20 and int(key) <= LARGEST_ID else Q(pk__in=())
    return Q(name=key)
