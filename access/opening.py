"""The open loopback: anonymous requests of the user who runs the server can have a role, if the settings allow it.

For clients that cannot send credentials. All conditions must hold at each request; bound to anything but loopback the
server does not start. What may come through a proxy in front is not opened: its senders are anywhere.
"""

import ipaddress
from functools import cache

import psutil
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.http import HttpRequest

from access import peers
from access.roles import Role

LOCAL_USER = "local"
#: Roles that may be opened; never admin.
OPENABLE = (Role.VIEWER, Role.OPERATOR)
_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA")
_OWN_SITE = (None, "none", "same-origin")


def role_for(request: HttpRequest) -> Role | None:
    """Return the role of a request without credentials, or None if it might come from anywhere else."""
    opened = settings.SWITCHYARD_OPEN_ON_LOOPBACK
    if opened not in OPENABLE or names_others() or not _is_local(request):
        return None
    return Role(opened) if is_loopback(settings.SWITCHYARD_BOUND_TO) and _only_we_are_connected() else None


def names_others() -> bool:
    """Say whether the settings name hosts, origins or proxies, by which others than this machine get here."""
    hosts = set(settings.ALLOWED_HOSTS) - set(_HOSTS)
    return bool(hosts or settings.CSRF_TRUSTED_ORIGINS or settings.TRUSTED_PROXIES)


def foreign_origin(request: HttpRequest) -> str | None:
    """Return the origin of the page that sends a request, if it is of another site than this one."""
    origin: str | None = request.META.get("HTTP_ORIGIN")
    return None if origin in _own_origins(request.META.get("HTTP_HOST", "")) else origin


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches what is bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@cache
def listening() -> frozenset[tuple[str, int]]:
    """Look at the sockets of this process, which listen by the time of its first request, whatever it was told."""
    found = psutil.Process().net_connections("tcp")
    return frozenset((each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN)


def local_user() -> User:
    """Return the user that anonymous local requests act as; nobody can log in as it."""
    try:
        return User.objects.get(username=LOCAL_USER)
    except User.DoesNotExist:
        return User.objects.get_or_create(username=LOCAL_USER, defaults={"password": make_password(None)})[0]


def _only_we_are_connected() -> bool:
    """Ask the kernel where it can be asked; a process that listens nowhere has no peers."""
    sockets = listening()
    if not all(is_loopback(address) for address, _ in sockets):
        return False
    ports = frozenset(port for _, port in sockets)
    return not (ports and peers.can_ask()) or peers.all_are_ours(ports)


def _is_local(request: HttpRequest) -> bool:
    meta = request.META
    if not is_loopback(meta.get("REMOTE_ADDR", "")):
        return False
    if any(name in _FORWARDED or name.startswith("HTTP_X_FORWARDED") for name in meta):
        return False
    if meta.get("HTTP_SEC_FETCH_SITE") not in _OWN_SITE:
        return False
    host = meta.get("HTTP_HOST", "")
    return _is_own_host(host) and meta.get("HTTP_ORIGIN") in _own_origins(host)


def _own_origins(host: str) -> tuple[str | None, ...]:
    return (None, f"http://{host}", f"https://{host}")


def _is_own_host(host: str) -> bool:
    """Compare with the exact names, so that a name that an attacker points at 127.0.0.1 is not ours."""
    for name in _HOSTS:
        if host == name:
            return True
        port = host.removeprefix(f"{name}:")
        if port != host and port.isascii() and port.isdigit():
            return True
    return False
