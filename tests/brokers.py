"""A Redis for one test alone, which the test may make read-only, full or frozen."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis as clients

from launch import commands, redis
from launch.services import READY_SECONDS


class Broker:
    """A running Redis, its address, and what can go wrong with it."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid
        self.client = clients.Redis.from_url(url)

    def refuse_writes(self) -> None:
        """Answer NOREPLICAS to every command that writes."""
        self.client.config_set("min-replicas-to-write", 1)

    def become_a_replica(self) -> None:
        """Answer READONLY to every command that writes."""
        self.client.replicaof("127.0.0.1", 1)

    def fill(self) -> None:
        """Answer OOM to every command that needs memory."""
        self.client.config_set("maxmemory", 1)

    def mend(self) -> None:
        """Take writes again."""
        self.client.replicaof("no", "one")
        self.client.config_set("min-replicas-to-write", 0)
        self.client.config_set("maxmemory", 0)

    def forget(self) -> None:
        """Lose all that is held."""
        self.client.flushall()

    def freeze(self) -> None:
        """Stop the process: connections stay, answers do not come."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        os.kill(self._pid, signal.SIGCONT)


@contextmanager
def own_broker(folder: Path) -> Iterator[Broker]:
    """Run a Redis while the block lasts."""
    folder.mkdir(exist_ok=True)
    server = redis.prepare(folder, folder)
    child = commands.spawn(server.command, dies_with_parent=True)
    commands.await_ready(child, lambda: redis.is_ready(server), server.command, READY_SECONDS)
    broker = Broker(server.url, child.pid)
    try:
        yield broker
    finally:
        broker.client.close()
        child.kill()
        child.wait()
        redis.forget_socket(server)
