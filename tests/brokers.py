"""A Redis for one test alone, which the test may make read-only, full or frozen."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis as clients

from launch import commands, redis
from launch.services import READY_SECONDS
from tests.agent.process import wait_until


class Broker:
    """A running Redis, its address, and what can go wrong with it."""

    def __init__(self, server: redis.Redis) -> None:
        self._server = server
        self.url = server.url
        self.client = clients.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        self._child = commands.spawn(self._server.command, dies_with_parent=True)
        commands.await_ready(self._child, lambda: redis.is_ready(self._server), self._server.command, READY_SECONDS)

    def kill(self) -> None:
        """Kill the process: all that it held is lost, its users too."""
        self._child.kill()
        self._child.wait()

    def refuse_writes(self) -> None:
        """Answer NOREPLICAS to every command that writes."""
        self.client.config_set("min-replicas-to-write", 1)

    def become_a_replica(self) -> None:
        """Answer READONLY to every command that writes."""
        self.client.replicaof("127.0.0.1", 1)

    def fill(self) -> None:
        """Answer OOM to every command that needs memory."""
        self.client.config_set("maxmemory", 1)

    def fail_to_save(self) -> None:
        """Answer MISCONF to every command that writes: a snapshot could not be written, since a folder has its name."""
        folder, name = (self.client.config_get(key)[key] for key in ("dir", "dbfilename"))
        Path(str(folder), str(name)).mkdir()
        self.client.config_set("stop-writes-on-bgsave-error", "yes")
        self.client.config_set("save", "3600 1")
        self.client.bgsave()
        wait_until(lambda: self.client.info("persistence")["rdb_last_bgsave_status"] == "err")

    def mend(self) -> None:
        """Take writes again."""
        self.client.config_set("save", "")
        self.client.replicaof("no", "one")
        self.client.config_set("min-replicas-to-write", 0)
        self.client.config_set("maxmemory", 0)

    def forget(self) -> None:
        """Lose all that is held."""
        self.client.flushall()

    def freeze(self) -> None:
        """Stop the process: connections stay, answers do not come."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        os.kill(self._child.pid, signal.SIGCONT)


@contextmanager
def own_broker(folder: Path) -> Iterator[Broker]:
    """Run a Redis while the block lasts."""
    folder.mkdir(exist_ok=True)
    server = redis.prepare(folder, folder, "the password of a test")
    broker = Broker(server)
    try:
        yield broker
    finally:
        broker.client.close()
        broker.kill()
        redis.forget_socket(server)


def place(url: str) -> str:
    """Return the address without credentials."""
    return re.sub(r"://[^/@]*@", "://", url)


def without_acl(client: clients.Redis, url: str) -> str:
    """Make a user that may do all but make users, as managed services have; return the address with it."""
    rules = ("on", ">secret", "~*", "&*", "+@all", "-acl")
    client.execute_command("ACL SETUSER", "plain", *rules)  # type: ignore[no-untyped-call]  # untyped
    return place(url).replace("://", "://plain:secret@")
