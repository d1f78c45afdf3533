"""The host of one call: PostgreSQL and Redis as an installation runs them, and a migrated database that each run copies.

The servers are durable (fsync on, default settings) and in a temporary folder. The processes that use them: installation.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from launch import credentials, services, stack
from launch.config import ROOT, Config
from launch.credentials import Credentials
from launch.services import Services
from launch.stack import Setting

SETUP_SECONDS = 120.0
COPY = "bench"


@dataclass(frozen=True, slots=True)
class Host:
    """Two running servers, and what a copy of the installation in them is opened with."""

    data: Path
    services: Services
    credentials: Credentials

    def copy_database(self) -> str:
        """Make a database as a new installation has it, in the place of the last one, and return its URL."""
        with psycopg.connect(_url(self.services, "postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {COPY} TEMPLATE {_name(self.services.database_url)}")
        return _url(self.services, COPY)


@contextmanager
def running() -> Iterator[Host]:
    """Run the servers while the block lasts, with an installation's tables and tokens made."""
    with services.temporary_data() as data, services.running(data) as both:
        known = credentials.load(data)
        setting = Setting(config(data, 0, 0, 0), data, both.database_url, both.redis_url, known)
        made = json.loads(_manage(setting, stack.BOOTSTRAP))
        known.token, known.node_token = made["token"], made["node_token"]
        yield Host(data, both, known)


def config(data: Path, port: int, agents: int, slots: int) -> Config:
    """Say what is started where, as `make up` says it: on loopback, with embedded services."""
    return Config(
        port=port,
        data=data,
        agents=agents,
        slots=slots,
        database_url=None,
        redis_url=None,
        listen=None,
        redis_port=0,
    )


def _manage(setting: Setting, argv: tuple[str, ...]) -> str:
    return subprocess.run(
        (sys.executable, *argv),
        env=stack.environment(setting),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SETUP_SECONDS,
        check=True,
    ).stdout


def _url(running: Services, database: str) -> str:
    return urlsplit(running.database_url)._replace(path=f"/{database}").geturl()


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
