"""An agent without processes, that speaks the real protocol over the real broker: tests decide how its tasks end."""

import base64
import json
import secrets
import time
from typing import Any

import redis

from jobs.inbox import inbox
from jobs.leader.loop import Leader
from nodes import services
from switchyard.messaging.messages import Command, Finished, Launch, Report, queue_of
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update
from switchyard.scheduling.retry import ExitClass


class ListAgent:
    """Keeps what it was told, and reports what the test says."""

    def __init__(
        self, broker: redis.Redis, name: str = "n1", pool: str = "default", folder: str = "", last: str = "", **totals: int
    ) -> None:
        self.broker = broker
        self.name = name
        self.totals = totals or {"cpus": 2000, "mem": 4096}
        self.told: dict[str, Any] = {"totals": self.totals, "labels": {}, "pool": pool, "info": {"agent": folder}}
        self.secret = secrets.token_urlsafe()
        node, _ = services.register(name, **self.told, secret=self.secret, last_secret=last)
        self.node, self.session = node.id, node.session
        self.number = 0
        self.seen = 0
        self.acknowledged = 0
        self.launches: dict[int, Launch] = {}
        self.cancels: list[list[Any]] = []
        self.pause = 0
        self.stages: dict[int, dict[str, Any]] = {}

    @property
    def identity(self) -> str:
        """What it says over HTTP of who it is."""
        return f"{self.node} {self.secret}"

    def go_on(self, **changed: Any) -> bool:
        """Register again, as after a restart; say whether it goes on with its session. Later commands come to the new one."""
        last, self.secret = self.secret, secrets.token_urlsafe()
        node, resumed = services.register(
            self.name, **self.told | changed, session=self.session, secret=self.secret, last_secret=last
        )
        self.session = node.session
        return resumed

    def listen(self) -> list[Command]:
        """Take the commands that have arrived."""
        commands = []
        while message := self.broker.rpop(queue_of(self.session)):
            body = json.loads(base64.b64decode(json.loads(message)["body"]))  # type: ignore[arg-type]
            commands.append(Command.decode(json.loads(body[0][0])))
        for command in commands:
            if command.session == self.session and command.number > self.seen:
                self.seen, self.acknowledged = command.number, command.acknowledged
                self.launches |= {launch.entry: launch for launch in command.launches}
                self.stages |= command.stages
                self.cancels += command.cancels
                self.pause = max(self.pause, command.pause)
        return commands

    def tasks(self) -> list[tuple[int, int, int]]:
        """Return all tasks on the list as (stage, attempt, index), in its order."""
        return [
            (launch.stage, launch.attempt, index)
            for _, launch in sorted(self.launches.items())
            for index in IndexSet.of(launch.ranges)
        ]

    def report(self, **content: Any) -> Report:
        """Make the next report; updates are given by name."""
        self.number += 1
        content["updates"] = [Update(**update) for update in content.get("updates", ())]
        return Report(self.node, self.session, self.number, [self.seen], self.pause, sent=_now(), **content)

    def finish(self, tasks: list[tuple[int, int, int]], result: str = "null") -> Report:
        """Make a report that these tasks finished."""
        now = _now()
        groups: dict[tuple[int, int], Finished] = {}
        for stage, attempt, index in tasks:
            group = groups.setdefault((stage, attempt), Finished(stage, attempt))
            group.indexes.append(index)
            group.begun.append(now - 1000)
            group.ended.append(now)
            group.results.append(result)
        self.forget(tasks)
        return self.report(finished=list(groups.values()))

    def fail(self, tasks: list[tuple[int, int, int]], exit_class: str = "user_error", **more: Any) -> Report:
        """Make a report that these tasks failed."""
        self.forget(tasks)
        return self.report(others=[self.end(task, outcome="FAILED", **{"class": exit_class}, **more) for task in tasks])

    def end(self, task: tuple[int, int, int], *, outcome: str, **more: Any) -> End:
        """Return one end with more to tell."""
        exit_class = more.pop("class", None)
        more["exit_class"] = exit_class and ExitClass(exit_class)
        now = _now()
        return End(*task, now - 1000, now, Outcome(outcome), **more)

    def start(self, tasks: list[tuple[int, int, int]]) -> Report:
        """Make a report that these tasks run."""
        return self.report(starts=[Started(stage, attempt, [index], [_now()]) for stage, attempt, index in tasks])

    def give_back(self, tasks: list[tuple[int, int, int]]) -> Report:
        """Make a report that these tasks have not begun and will not."""
        self.forget(tasks)
        return self.report(returns=[Returned(stage, attempt, [[index, index + 1]]) for stage, attempt, index in tasks])

    def forget(self, tasks: list[tuple[int, int, int]]) -> None:
        """Take tasks off the list."""
        gone = set(tasks)
        for launch in self.launches.values():
            indexes = IndexSet.of(launch.ranges)
            taken = IndexSet.from_indexes(i for i in indexes if (launch.stage, launch.attempt, i) in gone)
            launch.ranges = (indexes - taken).to_json()


def turn(leader: Leader, *reports: Report) -> None:
    """Let the leader work on what arrived, as it does after JSON has carried it, until it asks for no more."""
    leader.turn([Report.decode(json.loads(json.dumps(report.encode()))) for report in reports])
    while not inbox.empty():
        leader.turn([inbox.get_nowait()])


def _now() -> int:
    return time.monotonic_ns() // 1000
