"""What the pages' templates say: amounts, times, bars of counts. Wording itself is in status.wording."""

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from status import wording

register = template.Library()

#: In the order of a bar; what is left of it are tasks that wait.
_SEGMENTS = (("FINISHED", "finished"), ("FAILED", "failed"), ("CANCELED", "canceled"), ("RUNNING", "running"))


@register.filter
def resource(name: str) -> str:
    return wording.label(name)


@register.filter
def amount(value: int, name: str) -> str:
    return wording.amount(name, value)


@register.filter
def free(of: dict[str, int]) -> int:
    """Return how much of a resource is not held; more may be held than there is, while a total shrinks."""
    return max(0, of["total"] - of["held"])


@register.filter
def size(value: int) -> str:
    return wording.size(value)


@register.filter
def last_line(text: str) -> str:
    """Return the last line that says something: of a traceback, the error itself."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


@register.filter
def percent(share: float) -> str:
    """Round down, so that only what is done reads 100%."""
    return f"{int(share * 100)}%"


@register.inclusion_tag("ui/parts/time.html")
def moment(at: datetime | None) -> dict[str, Any]:
    """Show how long ago something was, with the time itself at hand."""
    return {"at": at, "ago": wording.ago(at, timezone.now()) if at else ""}


@register.simple_tag
def lasted(begun: datetime | None, ended: datetime | None) -> str:
    """Say how long something took, or takes so far."""
    return wording.span((ended or timezone.now()) - begun) if begun else "–"


@register.inclusion_tag("ui/parts/bar.html")
def counts_bar(tasks: dict[str, int]) -> dict[str, Any]:
    """Draw counts of tasks as one bar."""
    segments, at = [], 0.0
    for name, css in _SEGMENTS:
        width = 100 * tasks[name] / tasks["total"] if tasks["total"] else 0
        if width:
            segments.append({"x": f"{at:.3f}", "width": f"{width:.3f}", "css": css})
        at += width
    words = ", ".join(f"{tasks[name]:,} {css}" for name, css in _SEGMENTS if tasks[name])
    return {"segments": segments, "title": f"{words or 'none begun'}, of {tasks['total']:,}"}


@register.inclusion_tag("ui/parts/bar.html")
def held_bar(name: str, of: dict[str, int]) -> dict[str, Any]:
    """Draw how much of a resource is held."""
    width = min(100.0, 100 * of["held"] / of["total"]) if of["total"] else 0.0
    title = f"{wording.amount(name, of['held'])} of {wording.amount(name, of['total'])} held"
    return {"segments": [{"x": "0", "width": f"{width:.3f}", "css": "held"}], "title": title}
