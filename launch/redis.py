"""Redis: say how the broker is run, without a disk, and tell when it answers.

It holds nothing worth keeping, so there is nothing to prepare but a place for its socket.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from launch import binaries, folders
from launch.processes import Command

SOCKET = "redis.sock"
OPTIONS = (
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory-policy",
    "noeviction",
    "--daemonize",
    "no",
    "--databases",
    "64",
    "--timeout",
    "0",
    "--tcp-keepalive",
    "60",
)


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP address for agents on other machines, and the password they need."""

    host: str
    port: int
    password: str


@dataclass(frozen=True, slots=True)
class Redis:
    """A broker: how to run it and the URL it then answers to on this machine (and, on TCP, on others)."""

    command: Command
    url: str
    remote_url: str | None
    socket: Path


def prepare(data: Path, logs: Path, *, listen: Listen | None = None) -> Redis:
    """Say how to run the broker with its socket under `data`, and also on TCP if asked."""
    path = folders.socket_folder(data / "redis", SOCKET) / SOCKET
    argv = (
        str(binaries.redis()),
        *OPTIONS,
        "--unixsocket",
        str(path),
        "--unixsocketperm",
        "700",
        "--dir",
        str(path.parent),
        *_listening(listen),
    )
    command = Command("redis", argv, {"LC_ALL": "C"}, logs / "redis.log", path.parent, grace=10.0)
    return Redis(command, _local_url(path, listen), _remote_url(listen), path)


def is_ready(server: Redis) -> bool:
    """Tell whether the broker answers; being told to log in is an answer too."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(server.socket))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


def forget_socket(server: Redis, data: Path) -> None:
    """Remove the socket's folder if it was made for this run only."""
    server.socket.unlink(missing_ok=True)
    if not server.socket.is_relative_to(data):
        server.socket.parent.rmdir()


def _listening(listen: Listen | None) -> tuple[str, ...]:
    if listen is None:
        return ("--port", "0")
    return ("--bind", listen.host, "--port", str(listen.port), "--requirepass", listen.password)


def _local_url(path: Path, listen: Listen | None) -> str:
    login = f":{quote(listen.password, safe='')}@" if listen else ""
    return f"unix://{login}{path}?db=0"


def _remote_url(listen: Listen | None) -> str | None:
    if listen is None:
        return None
    return f"redis://:{quote(listen.password, safe='')}@{listen.host}:{listen.port}/0"
