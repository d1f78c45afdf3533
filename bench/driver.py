"""The process of the simulated agents: registers them over HTTP, and carries their messages through Redis and Celery.

Commands are taken from all queues at once by one script in Redis, reports are sent as agents send them.
"""

import argparse
import base64
import http.client
import json
import os
import secrets
import signal
import threading
import time
from heapq import heappop, heappush
from itertools import count
from typing import Any

import redis
from celery import Celery

from bench.simulated import SimulatedAgent, Task
from switchyard.agent.machine import description
from switchyard.messaging import transport
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HEARTBEAT_TASK, REPORT_QUEUE, REPORT_TASK, Command, queue_of

TASK_SECONDS = 0.05
#: Seconds that a task runs before its start is reported, as agents do it.
BEGUN = 0.02
HEARTBEAT = 5.0
TURN = 0.004
TAKE_ALL = """
local taken = {}
for _, queue in ipairs(KEYS) do
    local found = redis.call('RPOP', queue, 100)
    if found then for _, message in ipairs(found) do taken[#taken + 1] = message end end
end
return taken
"""


class Driver:
    """Turns timers and messages into each other until told to stop."""

    def __init__(self, agents: list[SimulatedAgent], redis_url: str) -> None:
        self._agents = {agent.session: agent for agent in agents}
        self._broker = redis.Redis.from_url(redis_url)
        self._app = Celery("simulated", broker=transport.broker_url(redis_url), set_as_current=False)
        self._app.conf.update(transport.celery_settings())
        self._queues = [queue_of(session) for session in self._agents]
        self._timers: list[tuple[float, int, SimulatedAgent, Task, bool]] = []
        self._order = count()
        self._beaten = 0.0

    def turn(self) -> None:
        """Take what has arrived, end what is due, start what may, send what is to be told."""
        now = time.monotonic()
        for command in self._commands():
            self._agents[command.session].obey(command, now)
        self._end(now)
        for agent in self._agents.values():
            if agent.entries:
                self._start(agent, now)
                agent.give_back(now)
            if report := agent.report(now):
                transport.send(self._app, REPORT_TASK, report.encode(), REPORT_QUEUE)
        if now - self._beaten > HEARTBEAT:
            self._beat(now)

    def _commands(self) -> list[Command]:
        messages: Any = self._broker.eval(TAKE_ALL, len(self._queues), *self._queues)
        bodies = [json.loads(base64.b64decode(json.loads(message)["body"])) for message in messages]
        return [Command.decode(json.loads(body[0][0])) for body in bodies]

    def _start(self, agent: SimulatedAgent, now: float) -> None:
        for task in agent.start(int(now * 1e6)):
            heappush(self._timers, (now + BEGUN, next(self._order), agent, task, False))
            heappush(self._timers, (now + TASK_SECONDS, next(self._order), agent, task, True))

    def _end(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            _, _, agent, task, ends = heappop(self._timers)
            if ends:
                agent.end(task, int(now * 1e6))
            else:
                agent.begun.append(task)

    def _beat(self, now: float) -> None:
        self._beaten = now
        for agent in self._agents.values():
            transport.send(self._app, HEARTBEAT_TASK, agent.heartbeat().encode(), HEARTBEAT_QUEUE)


def register(server: str, names: list[str], slots: int, token: str) -> list[SimulatedAgent]:
    """Register agents over HTTP and return them."""
    connection = http.client.HTTPConnection(server, timeout=30.0)
    return [_registered(connection, name, slots, token) for name in names]


def _registered(connection: http.client.HTTPConnection, name: str, slots: int, token: str) -> SimulatedAgent:
    totals = {"cpus": 1000 * slots, "mem": 4096 * slots, "disk": 4096 * slots}
    asked = {"name": name, "totals": totals, "labels": {}, "pool": "default", "info": {}, "session": ""}
    asked |= {"version": description.version(), "secret": secrets.token_urlsafe()}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/agent/register", json.dumps(asked), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{name} was not registered: {answer.status} {body[:300]!r}")
    given = json.loads(body)
    return SimulatedAgent(given["node"], given["session"], totals)


def main() -> None:
    """Drive the agents that the arguments ask for until SIGTERM."""
    options = argparse.ArgumentParser()
    options.add_argument("--server", required=True)
    options.add_argument("--prefix", required=True)
    options.add_argument("--agents", type=int, required=True)
    options.add_argument("--slots", type=int, required=True)
    asked = options.parse_args()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    names = [f"{asked.prefix}{number}" for number in range(asked.agents)]
    driver = Driver(register(asked.server, names, asked.slots, os.environ["SWITCHYARD_NODE_TOKEN"]), os.environ["REDIS_URL"])
    while not stopping.is_set():
        driver.turn()
        stopping.wait(TURN)


if __name__ == "__main__":
    main()
