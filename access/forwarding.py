"""Forwarding: sender, scheme, host and prefix of a request from the headers of a trusted proxy.

From any other peer these headers are not read: a client could write them itself.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SCHEMES = ("http", "https")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def forwarded(application: Application, proxies: Sequence[Network]) -> Application:
    """Return the application with the original request of what a trusted proxy passes on."""

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_trusted(environ.get("REMOTE_ADDR", ""), proxies):
            environ = environ | original(environ, proxies)
        return application(environ, start_response)

    return respond if proxies else application


def is_trusted(peer: str, proxies: Sequence[Network]) -> bool:
    """Say whether an address is one of a trusted proxy."""
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(found in network for network in proxies)


def original(environ: dict[str, Any], proxies: Sequence[Network]) -> dict[str, Any]:
    """Return what a trusted proxy says of the request that it was sent; what makes no sense is left out."""
    found = {"REMOTE_ADDR": _sender(environ, proxies)}
    scheme, host, prefix = (_last(environ, name) for name in ("PROTO", "HOST", "PREFIX"))
    if scheme in _SCHEMES:
        found["wsgi.url_scheme"] = scheme
    if host:
        found["HTTP_HOST"] = host
    if _PREFIX.fullmatch(prefix.rstrip("/")):
        found["SCRIPT_NAME"] = prefix.rstrip("/")
    return found


def _sender(environ: dict[str, Any], proxies: Sequence[Network]) -> str:
    """Go back along the proxies to the first address that is none of theirs; what stands before it may be made up."""
    peer: str = environ["REMOTE_ADDR"]
    for named in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not named.strip() or not is_trusted(peer, proxies):
            break
        peer = named.strip()
    return peer


def _last(environ: dict[str, Any], name: str) -> str:
    """Return the value of the nearest proxy."""
    value: str = environ.get(f"HTTP_X_FORWARDED_{name}", "")
    return value.rpartition(",")[2].strip()
