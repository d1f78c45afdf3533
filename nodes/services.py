"""Commands on the cluster: registration of agents, and changes of nodes and the scheduler by operators."""

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from access.commands import Done, command
from access.identifying import Identity
from database import rows
from nodes import conditions, events, generations, oversold
from nodes.conditions import BROKER_AWAY, DEAF
from nodes.decisions import give_reason
from nodes.models import Condition, Node, NodeResource, Scheduler
from nodes.trust import TRUSTED
from switchyard.messaging.messages import kept_figures
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.spec.fields import NAME_PATTERN

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: As many as the column can say.
MOST_HANDLERS = 32767
_AWAY = {
    "kind": "error",
    "title": "The agent does not reach Redis",
    "description": "Commands do not arrive and reports do not leave; what runs goes on. Look at its REDIS_URL and network.",
}


class NoSuchNode(SwitchyardError):
    """There is no such node."""


class StillThere(SwitchyardError):
    """The node is not gone: its agent has a session, or work of it stands on its list. Stop it, and wait until it is GONE."""


class Deactivated(SwitchyardError):
    """This node is deactivated: its agent can begin once an operator has activated it."""


def register(
    name: str,
    *,
    totals: Mapping[str, int],
    labels: Mapping[str, str],
    pool: str,
    info: Mapping[str, Any],
    session: str = "",
    token: int | None = None,
    secret: str = "",
    last_secret: str = "",
) -> tuple[Node, bool]:
    """Give the agent of a node a session of its own; the node is made if it is new.

    An agent that presents the node's session goes on with what that has (True). It has drawn a `secret`, and shows the last
    one. Raises NameTaken or Occupied while another may run what the session has (nodes.generations), and
    Deactivated for a node that was taken out of the cluster. The session lasts no longer than `token` is valid.
    """
    with transaction.atomic():
        node, _ = Node.objects.select_for_update().get_or_create(name=name, defaults={"pool": pool, "labels": dict(labels)})
        if not node.active:
            raise Deactivated
        resumed = generations.goes_on(node, session, secret, last_secret)
        generations.require_free(node, info, secret, last_secret, resumed=resumed)
        if not resumed:
            # Of a session that goes on, jobs.leader.lost_nodes ends the silence, and with it the doubt about the tasks.
            node.last_report, node.silent_since = 0, None
            node.deaf_since, node.refused = None, False
            node.conditions.filter(name__in=(BROKER_AWAY, DEAF)).delete()
        old, node.session = node.session, secrets.token_hex(12)
        node.predecessor, node.secret, node.token = session if resumed else "", generations.digest(secret), token
        same = (node.labels, node.pool) == (dict(labels), pool)
        node.labels, node.pool, node.info = dict(labels), pool, dict(info)
        node.hostname = str(info.get("host", ""))[: Node._meta.get_field("hostname").max_length]
        # By the database's clock: that of this machine may differ from it.
        node.registered_at = node.heard_at = node.changed_at = Now()
        node.figures = {}
        if same:
            node.save_without_historical_record()  # type: ignore[attr-defined]  # untyped
        else:
            node.save()
        if resumed:
            generations.went_on.send(Node, node=node.id, old=old, new=node.session)
        _set_totals(node, totals)
        oversold.note(info)
        how = "goes on with its session" if resumed else "began a new session"
        events.record([Told("node_registered", f"The agent of the node {how}.", node=node.id)])
    return node, resumed


def hear(node: int, session: str, figures: Mapping[str, Any]) -> bool:
    """Note a sign of life that came over HTTP; say whether the session is the node's, and goes on.

    The agent says in it whether it had to come this way, because it does not reach the broker.
    """
    now = timezone.now()
    with transaction.atomic():
        heard = rows.fetch(
            f"""UPDATE nodes_node n SET heard_at = now(), figures = %s::jsonb
            WHERE n.id = %s AND n.session = %s AND ({TRUSTED} OR %s) RETURNING 1""",
            [json.dumps(kept_figures(figures)), node, session, bool(figures.get("left"))],
        )
        if heard and figures.get("broker") == "away":
            Condition.objects.update_or_create(
                node_id=node,
                name=BROKER_AWAY,
                defaults={"updated_at": now},
                create_defaults={**_AWAY, "started_at": now, "updated_at": now},
            )
        elif heard:
            Condition.objects.filter(node_id=node, name=BROKER_AWAY).delete()
        if heard and figures.get("fault"):
            conditions.note({node: {conditions.UNFIT: str(figures["fault"])}})
    return bool(heard)


@command("node.pause")
def pause(by: Identity, id_: int, reason: str) -> Done[Node]:
    """Start nothing more on a node; what runs goes on."""
    return Done(*_changed(id_, "paused", reason, paused=True, pause_reason=reason), {"reason": reason})


@command("node.resume")
def resume(by: Identity, id_: int) -> Done[Node]:
    """Let a node that was paused or drained take work again."""
    return Done(*_changed(id_, "resumed", paused=False, draining=False, pause_reason=""))


@command("node.drain")
def drain(by: Identity, id_: int, reason: str) -> Done[Node]:
    """Let a node run empty."""
    return Done(*_changed(id_, "drained", reason, draining=True, pause_reason=reason), {"reason": reason})


@command("node.explain")
def explain_pause(by: Identity, id_: int, reason: str) -> Done[Node]:
    """Say why a node is paused, or will be."""
    return Done(*_changed(id_, "explained", reason, pause_reason=reason), {"reason": reason})


@command("node.deactivate")
def deactivate(by: Identity, id_: int, reason: str = "") -> Done[Node]:
    """Take a node out of the cluster, with its history kept."""
    return Done(*_changed(id_, "deactivated", reason, active=False, deactivated_at=timezone.now()), {"reason": reason})


@command("node.activate")
def activate(by: Identity, id_: int) -> Done[Node]:
    """Take a node back."""
    return Done(*_changed(id_, "activated", active=True, deactivated_at=None))


@command("node.delete")
def delete(by: Identity, id_: int, reason: str = "") -> Done[None]:
    """Forget a node that is gone for ever; what it did keeps its name, which its history holds.

    Raises StillThere while it has a session. Only the leader ends one, with all that stood on the node's list in the same
    transaction (jobs.leader.lost_nodes), and gives nothing to a node without one: so none of its tasks is outstanding.
    """
    node = _locked(id_)
    if node.session or node.resources.filter(held__gt=0).exists():
        raise StillThere
    give_reason(node, reason)
    node.delete()
    events.record([Told("node_deleted", _because(f"The node {node.name} was deleted", reason), node=id_)])
    return Done(None, node.name, {"reason": reason} if reason else {})


@command("scheduler.change")
def change_scheduler(
    by: Identity, /, *, paused: bool | None = None, pause_reason: str | None = None, **policy: str | int | dict[str, str]
) -> Done[Scheduler]:
    """Pause the scheduler or let it go on, and choose how it works.

    Paused, it starts nothing more anywhere; what runs goes on. `policy` says how tasks are placed (`strategy`), how room is
    divided among jobs (`allocation`, and `allocation_of` for pools by name), what is logged, and so on.
    """
    scheduler = Scheduler.objects.select_for_update().get_or_create(id=1)[0]
    if paused:
        _switch(scheduler, "paused", pause_reason or "", paused=True)
        Node.objects.update(pause_epoch=F("pause_epoch") + 1)
    elif paused is False:
        _switch(scheduler, "resumed", paused=False)
    if policy:
        _save(scheduler, policy)
    asked = {"paused": paused, "pause_reason": pause_reason}
    changes = {name: value for name, value in asked.items() if value is not None} | policy
    return Done(scheduler, "scheduler" if changes else None, changes)


def is_pool_name(text: str) -> bool:
    """Return whether a pool may have this name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def _changed(id_: int, did: str, reason: str = "", **fields: Any) -> tuple[Node, str]:
    """Change a node, and return it with its name."""
    node = _locked(id_)
    for field, value in fields.items():
        setattr(node, field, value)
    node.pause_epoch += 1
    node.changed_at = timezone.now()
    give_reason(node, reason)
    node.save(update_fields=[*fields, "pause_epoch", "changed_at"])
    events.record([Told(f"node_{did}", _because(f"The node was {did}", reason), node=node.id)])
    return node, node.name


def _locked(id_: int) -> Node:
    node = Node.objects.select_for_update().filter(id=id_).first()
    if node is None:
        raise NoSuchNode(f"There is no node {id_}.")
    return node


def _switch(scheduler: Scheduler, did: str, reason: str = "", *, paused: bool) -> None:
    scheduler.pause_epoch += 1
    give_reason(scheduler, reason)
    _save(scheduler, {"paused": paused, "pause_reason": reason})
    events.record([Told(f"scheduler_{did}", _because(f"The scheduler was {did}", reason))])


def _save(scheduler: Scheduler, changes: Mapping[str, object]) -> None:
    for field, value in changes.items():
        setattr(scheduler, field, value)
    scheduler.save()


def _because(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else f"{text}."


def _set_totals(node: Node, totals: Mapping[str, int]) -> None:
    """Set what a node has, and nothing else; while more is held than a smaller total, the capacity stays at what is held."""
    for name, total in totals.items():
        resource, _ = NodeResource.objects.select_for_update().get_or_create(
            node=node, name=name, defaults={"total": total, "capacity": total}
        )
        resource.total, resource.capacity = total, max(total, resource.held)
        resource.save(update_fields=["total", "capacity"])
    gone = NodeResource.objects.select_for_update().filter(node=node).exclude(name__in=totals)
    gone.filter(held=0).delete()
    gone.update(total=0, capacity=F("held"))
