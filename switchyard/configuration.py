"""Find the server's address and token: arguments, environment, the user's configuration file.

A token goes only to the server that it belongs to: the file's to the file's address, that of DATA_DIR to this machine.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from switchyard.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
READABLE_BY_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and who asks it; without a token, as whoever the server takes a local request for."""

    url: str
    token: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return urlsplit(self.url).hostname in LOOPBACK


def find(environ: Mapping[str, str], url: str | None = None, token: str | None = None) -> Server:
    """Find the server; what is given goes before the environment, and that before the configuration file."""
    known = _configured(environ)
    server = Server(_checked(url or environ.get("SWITCHYARD_URL") or (known and known.url) or DEFAULT_URL))
    token = token or environ.get("SWITCHYARD_TOKEN")
    if not token and known and known.url == server.url:
        token = known.token
    if not token and server.is_local:
        token = _of_data_folder(environ)
    return Server(server.url, token)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"{url!r} is not the address of a server; it looks like {DEFAULT_URL}")
    return url.rstrip("/")


def _configured(environ: Mapping[str, str]) -> Server | None:
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    file = Path(base) / "switchyard" / "config.toml"
    if not file.is_file():
        return None
    try:
        held = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error
    if not all(isinstance(held.get(name, ""), str) for name in ("url", "token")):
        raise Misconfigured(f"{file}: url and token are texts in quotes")
    if held.get("token") and file.stat().st_mode & READABLE_BY_OTHERS:
        raise Misconfigured(f"{file} holds a token that others can read: chmod 600 {file}")
    return Server(_checked(held.get("url", DEFAULT_URL)), held.get("token"))


def _of_data_folder(environ: Mapping[str, str]) -> str | None:
    file = Path(environ.get("DATA_DIR", "")) / "credentials.json"
    if "DATA_DIR" not in environ or not file.is_file():
        return None
    try:
        token: str = json.loads(file.read_text())["token"]
    except (OSError, ValueError, KeyError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error
    return token or None
