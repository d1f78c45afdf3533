"""A relay between two broker databases that delivers every message twice, late and out of order."""

import random
import threading
import time

import redis

#: Seconds that a message is late at the most.
LATE = 0.2


class Relay(threading.Thread):
    """Carries commands one way and all else the other, badly; the order is drawn from a seed."""

    def __init__(self, agents: redis.Redis, scheduler: redis.Redis, seed: int) -> None:
        super().__init__(daemon=True)
        self.agents, self.scheduler = agents, scheduler
        self.delivered = 0
        self._random = random.Random(seed)
        self._waiting: list[tuple[float, redis.Redis, str, bytes]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.002):
            self._take(self.scheduler, self.agents, "agent.*")
            for queue in ("reports", "heartbeats"):
                self._take(self.agents, self.scheduler, queue)
            self._deliver()

    def end(self) -> None:
        """Stop carrying."""
        self._ended.set()
        self.join()

    def _take(self, source: redis.Redis, target: redis.Redis, pattern: str) -> None:
        for key in source.scan_iter(match=pattern, _type="list"):
            while message := source.rpop(key):
                for _ in range(2):
                    due = time.monotonic() + self._random.random() * LATE
                    self._waiting.append((due, target, key.decode(), message))  # type: ignore[arg-type]

    def _deliver(self) -> None:
        now = time.monotonic()
        due = [item for item in self._waiting if item[0] <= now]
        self._waiting = [item for item in self._waiting if item[0] > now]
        self._random.shuffle(due)
        for _, target, key, message in due:
            target.lpush(key, message)
            self.delivered += 1
