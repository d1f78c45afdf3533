"""A thread that sends a heartbeat every few seconds, and records the last acknowledged one.

By Redis; over HTTP when Redis is away or nothing has been heard for a while. Silence, which agent.fencing judges, is
counted from the sending of the last heartbeat that was acknowledged, on the clock that goes on while the machine sleeps.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import structlog
from celery import Celery

from switchyard.agent.machine import description
from switchyard.agent.machine.fitness import Fitness
from switchyard.agent.network.server import Refused, Registered, Server, SessionEnded
from switchyard.messaging import transport
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HEARTBEAT_TASK, Heartbeat

log = structlog.get_logger()
INTERVAL = 5.0
#: Intervals without an answer after which heartbeats go over HTTP too.
UNHEARD = 2.5
#: Seconds within which the agent's loop turns.
TURN = 2.0


class Heartbeats:
    """Sends heartbeats for one session."""

    def __init__(
        self,
        app: Celery,
        server: Server,
        registered: Registered,
        folder: Path,
        fitness: Fitness,
        interval: float = INTERVAL,
        inventory: Callable[[float], dict[str, Any] | None] = lambda _: None,
    ) -> None:
        self._app = app
        self._server = server
        self._registered = registered
        self._folder = folder
        self._fitness = fitness
        fitness.changed.append(self.hurry)
        self._interval = interval
        self._inventory = inventory
        self._number = 0
        self._leaving = False
        self._sent: dict[int, float] = {}
        self._heard = boottime()
        self._closed = threading.Event()
        self._due = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Say whether the server has ended the session."""
        return self._server.ended

    @property
    def silence(self) -> float:
        """Seconds since the sending of the last heartbeat that was acknowledged."""
        return boottime() - self.heard

    @property
    def heard(self) -> float:
        """When that was (CLOCK_BOOTTIME); longer ago than anything may go on, once the server has ended the session."""
        return float("-inf") if self.ended else self._heard

    def acknowledged(self, number: int) -> None:
        """Note that a heartbeat was heard."""
        with self._lock:
            at = self._sent.get(number)
            if at is not None:
                self._heard = max(self._heard, at)
                self._sent = {other: sent for other, sent in self._sent.items() if other > number}

    def hurry(self) -> None:
        """Have the next one sent at once, as there is news."""
        self._due.set()

    def leave(self) -> None:
        """Say, at once and from now on, that the agent is about to leave."""
        self._leaving = True
        self._send(self._figures())

    def close(self) -> None:
        """Send no more."""
        self._closed.set()
        self._due.set()
        self._thread.join(timeout=1)

    def say_left(self) -> None:
        """Say that nothing of this session is left; over HTTP, so that it is known before anything that comes next."""
        known = self._send_over_http(self._next({"leaving": True, "left": True}))
        if not known and self.ended:
            known = self._server.leave(self._registered)
        if not known:
            log.warning("the server does not know that this agent has left")

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._send(self._figures() | self._take_inventory())
            except Exception:
                log.exception("heartbeat failed")
            self._due.wait(self._interval)
            self._due.clear()

    def _figures(self) -> dict[str, Any]:
        fault = self._fitness.fault
        return figures(self._folder) | ({"leaving": True} if self._leaving else {}) | ({"fault": fault} if fault else {})

    def _take_inventory(self) -> dict[str, Any]:
        found = self._inventory(TURN)
        return {"stalled": True} if found is None else {"inventory": found}

    def _next(self, told: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._number += 1
            number = self._number
            self._sent[number] = boottime()
        return Heartbeat(self._registered.node, self._registered.session, number, told).encode()

    def _send(self, told: dict[str, Any]) -> None:
        beat = self._next(told)
        if not transport.send(self._app, HEARTBEAT_TASK, beat, HEARTBEAT_QUEUE):
            self._send_over_http(beat | {"figures": beat["figures"] | {"broker": "away"}})
        elif self.silence > UNHEARD * self._interval:
            self._send_over_http(beat)

    def _send_over_http(self, beat: dict[str, Any]) -> bool:
        try:
            self.acknowledged(self._server.heartbeat(beat))
        except SessionEnded:
            log.error("the session has ended: nothing of it may go on")
            return False
        except (httpx.HTTPError, Refused) as error:
            log.warning("heartbeat not heard", error=str(error))
            return False
        return True


def figures(folder: Path) -> dict[str, Any]:
    """Return what a node tells of itself; reads no disk but the size of the file system."""
    memory = psutil.virtual_memory()
    return {
        "load": os.getloadavg()[0],
        "cpu": psutil.cpu_percent(),
        "mem_total": memory.total >> 20,
        "mem_available": memory.available >> 20,
        "disk_free": psutil.disk_usage(str(folder)).free >> 20,
        "process": description.process(),
    }


def boottime() -> float:
    """Return seconds on the clock that counts sleep too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
