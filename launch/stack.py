"""The stack: the table of the processes of an installation, apart from the two servers.

Who starts, watches and stops them: supervisor. What they are given, they are given by the environment.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launch import folders
from launch.commands import Command
from launch.config import ROOT, Config, in_url
from launch.credentials import Credentials

MOST_WEB_WORKERS = 2
LOCAL_HOSTS = "localhost,127.0.0.1"
#: Settings that name others than this machine, by which requests may come from anywhere.
OF_OTHERS = ("SWITCHYARD_HOSTS", "SWITCHYARD_TRUSTED_ORIGINS", "SWITCHYARD_PROXIES")
# fmt: off
WEB = ("-m", "scheduler_project.serving", "--interface", "asginl", "--no-ws", "--respawn-failed-workers",
       "scheduler_project.asgi:application")
SCHEDULER = ("manage.py", "scheduler")
AGENT = ("-m", "switchyard.agent")
# fmt: on
BOOTSTRAP = ("manage.py", "bootstrap", "--migrate", "--json")
# An agent is given its node's token, and nothing that opens the database or the storage.
KEPT_FROM_AGENTS = ("DATABASE_URL", "SWITCHYARD_SECRET_KEY", "SWITCHYARD_STORAGE", "SWITCHYARD_TOKEN", "DATA_DIR")
KEPT_FROM_AGENTS_BEGIN = "FSSPEC_"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a stack's processes find each other and who they are."""

    config: Config
    data: Path
    database_url: str
    redis_url: str
    credentials: Credentials


def environment(setting: Setting) -> dict[str, str]:
    """Give the environment of the processes that know the database: the caller's own, completed."""
    config = setting.config
    hosts = (LOCAL_HOSTS, in_url(config.listen or ""), os.environ.get("SWITCHYARD_HOSTS"))
    return (
        {"PYTHONUNBUFFERED": "1", "SWITCHYARD_SECRET_KEY": setting.credentials.secret_key}
        | os.environ
        | {
            "SWITCHYARD_OPEN_ON_LOOPBACK": opened(config, os.environ),
            "SWITCHYARD_HOSTS": ",".join(filter(None, hosts)),
            "DATA_DIR": str(setting.data),
            "DATABASE_URL": setting.database_url,
            "REDIS_URL": setting.redis_url,
            "GRANIAN_HOST": config.host,
            "GRANIAN_PORT": str(config.port),
            "GRANIAN_WORKERS": str(min(MOST_WEB_WORKERS, os.cpu_count() or 1)),
        }
    )


def opened(config: Config, environ: Mapping[str, str]) -> str:
    """Return the role of requests from this machine without credentials; none where others may come through a proxy."""
    if any(environ.get(name) for name in OF_OTHERS):
        return ""
    return environ.get("SWITCHYARD_OPEN_ON_LOOPBACK", "operator" if config.is_private else "")


def processes(setting: Setting) -> list[Command]:
    """List what runs, in the order in which it is started."""
    env = environment(setting)
    agents = [_agent(setting, env, f"agent-{number + 1}") for number in range(setting.config.agents)]
    return [
        _command(setting, "web", WEB, env, rank=2),
        _command(setting, "scheduler", SCHEDULER, env, rank=3),
        *agents,
    ]


def _agent(setting: Setting, env: dict[str, str], name: str) -> Command:
    own = {
        key: value for key, value in env.items() if key not in KEPT_FROM_AGENTS and not key.startswith(KEPT_FROM_AGENTS_BEGIN)
    }
    folder = folders.private(setting.data / "agents" / name)
    options = ("--name", name, "--data", str(folder), "--server", setting.config.url)
    return _command(
        setting,
        name,
        (*AGENT, *options, "--slots", str(setting.config.slots), *shares(setting.config.agents, folder)),
        own | {"REDIS_URL": place_of_redis(setting), "SWITCHYARD_NODE_TOKEN": setting.credentials.node_token},
        rank=4,
    )


def place_of_redis(setting: Setting) -> str:
    """Return where agents find Redis: without the server's password where they get one each (nodes.broker).

    A Redis that was given may make no users for them, so that its address is passed on as it is.
    """
    if setting.config.redis_url:
        return setting.redis_url
    return re.sub(r"://[^/@]*@", "://", setting.redis_url)


def shares(agents: int, folder: Path) -> tuple[str, ...]:
    """Return the options by which so many agents share the machine's memory and what is free of its disk."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return ("--mem", str(memory // agents), "--disk", str((shutil.disk_usage(folder).free >> 20) // agents))


def _command(setting: Setting, name: str, argv: tuple[str, ...], env: dict[str, str], *, rank: int) -> Command:
    return Command(name, (sys.executable, *argv), env, setting.data / "logs" / f"{name}.log", ROOT, rank)
