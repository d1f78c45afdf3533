"""Wording: amounts, spans of time and sizes as people read them. Pure."""

from datetime import datetime, timedelta

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_LABELS = {"cpus": "CPUs", "mem": "Memory", "disk": "Disk", "gpus": "GPUs"}


def label(resource: str) -> str:
    """Return what people call a resource."""
    return _LABELS.get(resource, resource)


def amount(resource: str, value: int) -> str:
    """Return an amount of a resource in the unit that people use: whole cpus and devices, bytes of memory."""
    if resource in ("mem", "disk"):
        return size(value * 1024 * 1024)
    if resource == "cpus" or resource.startswith("gpu"):
        return f"{value / 1000:,.2f}".rstrip("0").rstrip(".")
    return f"{value:,}"


def size(count: int) -> str:
    """Return a number of bytes with three digits and a unit."""
    number, unit = float(count), 0
    while number >= 1024 and unit < len(_SIZES) - 1:
        number, unit = number / 1024, unit + 1
    digits = 0 if unit == 0 or number >= 100 else 1
    text = f"{number:.{digits}f}"
    return f"{text.removesuffix('.0')} {_SIZES[unit]}"


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago a moment was, in one unit."""
    seconds = (now - moment).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "now" if seconds < 5 else f"{int(seconds)} s ago"
