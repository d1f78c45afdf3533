"""Redis: the command of the broker, without a disk, and whether it answers.

It holds nothing worth keeping, so there is nothing to prepare but its configuration.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from launch import binaries, folders
from launch.commands import Command

SOCKET = "redis.sock"
SETTINGS = {
    "save": '""',
    "appendonly": "no",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
    "databases": "64",
    "timeout": "0",
    "tcp-keepalive": "60",
    "unixsocketperm": "700",
}
ANY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP address for agents on other machines."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Redis:
    """A broker: how to run it and the URL it then answers to."""

    command: Command
    url: str
    socket: Path


def prepare(data: Path, logs: Path, password: str, *, listen: Listen | None = None) -> Redis:
    """Say how to run the broker with its socket under `data`, and on TCP as well if asked.

    The password is that of the server's own processes; for agents they make users of their own (nodes.broker).
    """
    home = folders.private(data / "redis")
    path = folders.socket_folder(home, SOCKET) / SOCKET
    configuration = home / "redis.conf"
    # A file and not arguments: every user of the machine may read those, and a password is among them.
    configuration.touch(mode=0o600)
    configuration.write_text(_configuration(path, password, listen))
    argv = (str(binaries.redis()), str(configuration))
    command = Command("redis", argv, {"LC_ALL": "C"}, logs / "redis.log", home, rank=1, grace=10.0)
    return Redis(command, _url(path, password, listen), path)


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


def forget_socket(server: Redis) -> None:
    """Remove the socket, and its folder if that was made for this run only."""
    server.socket.unlink(missing_ok=True)
    if server.socket.parent != server.command.cwd:
        server.socket.parent.rmdir()


def _configuration(path: Path, password: str, listen: Listen | None) -> str:
    places = {"unixsocket": f'"{path}"', "dir": f'"{path.parent}"', "requirepass": f'"{password}"'}
    settings = SETTINGS | places | _listening(listen)
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _listening(listen: Listen | None) -> dict[str, str]:
    return {"bind": listen.host, "port": str(listen.port)} if listen else {"port": "0"}


def _url(path: Path, password: str, listen: Listen | None) -> str:
    login = f":{quote(password, safe='')}@"
    if listen is None:
        return f"unix://{login}{path}?db=0"
    host = "127.0.0.1" if listen.host in ANY_ADDRESS else listen.host
    return f"redis://{login}{host}:{listen.port}/0"
