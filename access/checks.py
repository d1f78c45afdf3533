"""System checks of insecure settings, run by Django's commands and by the web server."""

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import psutil
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from access import opening


@register("access")
def check_settings(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Find settings that open the installation to more than this machine."""
    return [*_opening(), *_off_loopback()]


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured if the web server must not run with its settings and options."""
    found = [*check_settings(None), *_asked_for()]
    if found:
        raise ImproperlyConfigured("\n".join(f"{each.msg} {each.hint}" for each in found))


def _opening() -> list[CheckMessage]:
    opened = settings.SWITCHYARD_OPEN_ON_LOOPBACK
    if not opened:
        return []
    if opened not in opening.OPENABLE:
        hint = f"It may be {' or '.join(opening.OPENABLE)}, never admin."
        return [Error(f"SWITCHYARD_OPEN_ON_LOOPBACK={opened} is no role to open.", hint=hint, id="access.E001")]
    return [] if opening.is_loopback(settings.SWITCHYARD_BOUND_TO) else [_opened_too_far(settings.SWITCHYARD_BOUND_TO)]


def _off_loopback() -> list[CheckMessage]:
    if opening.is_loopback(settings.SWITCHYARD_BOUND_TO):
        return []
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == settings.INSECURE_SECRET_KEY:
        hint = "Set it to a long random text."
        found.append(Error("SWITCHYARD_SECRET_KEY is not set.", hint=hint, id="access.E003"))
    if settings.DEBUG:
        found.append(Error("SWITCHYARD_DEBUG is on.", hint="It is for loopback only.", id="access.E004"))
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts that clients use."
        found.append(Error("SWITCHYARD_HOSTS allows any host.", hint=hint, id="access.E005"))
    return found


def _asked_for() -> list[CheckMessage]:
    """Look at the command line of the server and of its parent: an option there overrides GRANIAN_HOST."""
    if not settings.SWITCHYARD_OPEN_ON_LOOPBACK:
        return []
    lines = [psutil.Process().cmdline(), psutil.Process(os.getppid()).cmdline()]
    return [_opened_too_far(host) for host in hosts_of(lines) if not opening.is_loopback(host)]


def hosts_of(lines: Iterable[Sequence[str]]) -> list[str]:
    """Return the hosts that command lines name with --host."""
    found = []
    for line in lines:
        found += [value for option, value in pairwise(line) if option == "--host"]
        found += [each.removeprefix("--host=") for each in line if each.startswith("--host=")]
    return found


def _opened_too_far(host: str) -> CheckMessage:
    return Error(
        f"SWITCHYARD_OPEN_ON_LOOPBACK is set and the server is bound to {host or 'an unknown address'}.",
        hint="Unset it, or bind to 127.0.0.1 (GRANIAN_HOST).",
        id="access.E002",
    )
