"""Configuration: settings of `make up` from the environment, checked before anything starts.

Django's settings are read by Django (scheduler_project.settings); these only say what is started, and where.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launch.errors import LaunchError

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Config:
    """One stack: its address, its folder, its agents, and the services that it is told to use."""

    port: int
    data: Path
    agents: int
    slots: int
    database_url: str | None
    redis_url: str | None
    listen: str | None
    redis_port: int

    @property
    def host(self) -> str:
        """The address that the web binds: loopback, unless agents on other machines are to connect."""
        return self.listen or LOOPBACK

    @property
    def url(self) -> str:
        """Where this machine's own processes reach the web."""
        reached = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.host, self.host)
        return f"http://{in_url(reached)}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Whether nothing here is shared with another machine: embedded services, loopback only."""
        return not (self.listen or self.database_url or self.redis_url)


def in_url(host: str) -> str:
    """Write a host as addresses hold it."""
    return f"[{host}]" if ":" in host else host


def read(environ: Mapping[str, str]) -> Config:
    """Read the configuration of one stack; an odd value is an error that names it."""
    port = _number(environ, "PORT", 8000, 1, LARGEST_PORT)
    agents = _number(environ, "AGENTS", 2, 0, 64)
    share = max(1, len(os.sched_getaffinity(0)) // max(1, agents))
    return Config(
        port=port,
        data=(ROOT / (environ.get("DATA_DIR") or ".switchyard")).absolute(),
        agents=agents,
        slots=_number(environ, "SLOTS", share, 1, 1024),
        database_url=environ.get("DATABASE_URL") or None,
        redis_url=environ.get("REDIS_URL") or None,
        listen=environ.get("SWITCHYARD_LISTEN") or None,
        redis_port=_number(environ, "REDIS_PORT", 6379, 1, LARGEST_PORT),
    )


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise LaunchError(f"{name}={text} is not a number from {least} to {most}.")
    return int(text)
