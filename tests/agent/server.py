"""The server's side of the protocol: one that can refuse, delay and lose what a test wants."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

import msgspec
import redis
from celery import Celery

from switchyard.messaging import transport
from switchyard.messaging.messages import COMMAND_TASK, Command, Launch, Report, queue_of
from switchyard.scheduling.lifecycle.ends import End
from tests.agent.answers import handler_of
from tests.agent.process import SECONDS, Agent


class Server:
    """The server as agents see it: HTTP for bytes, Redis for commands and reports."""

    def __init__(self, client: redis.Redis, redis_url: str) -> None:
        self.client = client
        self.redis_url = redis_url
        self.app = Celery("tests", broker=transport.broker_url(redis_url), set_as_current=False)
        self.app.conf.update(transport.celery_settings())
        self.registrations: list[dict[str, Any]] = []
        self.agents: list[Agent] = []
        self.sessions = 0
        self.resume = False
        self.token = self.refusal = self.secret = self.predecessor = ""
        self.refusal_code, self.refused = "conflict", 0
        self.inputs: dict[int, dict[str, list[str | None]]] = {}
        #: Inputs that are asked for one by one, by index, and how many of the next answers are wrong.
        self.stored: dict[int, Any] = {}
        self.garbled = 0
        self.items: dict[int, list[Any]] = {}
        self.files: dict[int, dict[str, Any]] = {}
        #: Descriptions that are left out of commands, and paths that are refused, by their first part.
        self.descriptions: dict[int, dict[str, Any]] = {}
        self.refused_parts: set[str] = set()
        self.requests: Counter[str] = Counter()
        self.artifacts: dict[str, bytes] = {}
        #: What has come of uploads that broke off.
        self.partial: dict[str, bytes] = {}
        #: What tasks hand on, by index; and whether nothing more can be stored.
        self.handed: dict[int, list[Any]] = {}
        self.full = False
        self.logs: dict[str, bytes] = {}
        self.http_heartbeats: list[dict[str, Any]] = []
        self.pause = 0
        self.acknowledge_heartbeats = True
        self.ended_session = ""
        #: What is answered to heartbeats whose token is not valid any more: a status and a body.
        self.distrust: tuple[int, Any] | None = None
        self.distrusted = 0
        self.login: dict[str, str] | None = None
        self.left: list[dict[str, Any]] = []
        self.down = self.refuse_logs = False
        self.down_for = 0
        self.number = 0
        self.entry = 0
        self.launched: dict[int, dict[str, Any]] = {}
        self.launches: Counter[tuple[int, int, int]] = Counter()
        self.acknowledged = 0
        self.reports: list[Report] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self.thread.start()

    @property
    def session(self) -> str:
        return f"session{self.sessions}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.app.close()

    def command(self, *, acknowledged: int | None = None, session: str | None = None, **what: Any) -> None:
        """Send a command to the agent; fail if the broker does not take it."""
        self.number += 1
        command = Command(
            session or self.session,
            self.number,
            self.acknowledged if acknowledged is None else acknowledged,
            **what,
        )
        assert transport.send(self.app, COMMAND_TASK, command.encode(), queue_of(command.session)), "the broker refused"

    def launch(
        self,
        stage: int,
        count: int = 1,
        *,
        attempt: int = 0,
        first: int = 0,
        demand: dict[str, int] | None = None,
        after: list[list[int]] | None = None,
        parallelism: int | None = None,
        inputs: list[dict[str, Any]] | None = None,
        items: dict[str, Any] | None = None,
        more: dict[str, Any] | None = None,
        disconnect_grace: float | None = None,
        pause: int | None = None,
        job: str = "job",
        left_out: bool = False,
        **spec: Any,
    ) -> None:
        """Launch tasks of a stage."""
        self.entry += 1
        self.launches.update((stage, attempt, index) for index in range(first, first + count))
        self.launched.setdefault(
            stage,
            {
                "demand": demand,
                "parallelism": parallelism or first + count,
                "inputs": inputs,
                "items": items,
                "job": job,
                "left_out": left_out,
                **spec,
            },
        )
        launch = Launch(self.entry, stage, attempt, [[first, first + count]], demand or {"cpus": 1000}, after or [])
        launch.pause = 1000 if pause is None else pause
        described: dict[str, Any] = {
            "job": job, "name": f"s{stage}", "parallelism": parallelism or first + count, "spec": spec,
            "inputs": inputs or [], "largest_file": 1 << 20, **({"items": items} if items else {}),
            **({"disconnect_grace": disconnect_grace} if disconnect_grace else {}),
        }  # fmt: skip
        if left_out:
            self.descriptions[stage] = described
            kept = {name: spec.get(name) for name in ("files_digest", "foreach")}
            told: dict[str, Any] = {
                name: described[name] for name in ("job", "name", "parallelism", "disconnect_grace") if name in described
            }
            described = {**told, "left_out": True, "spec": kept, "inputs": []}
        self.command(launches=[launch], stages={stage: described}, **(more or {}))

    def report(self, timeout: float = SECONDS) -> Report | None:
        """Return the next new report, applied and to be acknowledged with the next command."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            found = self.client.blpop(["reports"], timeout=left)
            if not found:
                return None
            body = json.loads(base64.b64decode(json.loads(found[1])["body"]))
            report = Report.decode(json.loads(body[0][0]))
            if report.session == self.session and report.number == self.acknowledged + 1:
                self.acknowledged = report.number
                self.reports.append(report)
                return report
        return None

    def until(self, condition: Callable[[], Any], timeout: float = SECONDS) -> Any:
        """Apply and acknowledge reports until a condition on them holds; return what it returned."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if self.report(max(0.01, min(1.0, deadline - time.monotonic()))):
                self.command()
            elif time.monotonic() > deadline:
                agents = "\n".join(agent.story() for agent in self.agents)
                raise AssertionError(f"not within {timeout} s; reports: {self.reports}\n{agents}")
        return value

    def others(self) -> list[dict[str, Any]]:
        """Return the ends with more to tell than a result as they were sent, by the names that workers use."""
        names = End.__struct_encode_fields__
        sent = [json.loads(msgspec.json.encode(end)) for report in self.reports for end in report.others]
        return [dict(zip(names, values, strict=True)) for values in sent]

    def ends(self) -> dict[tuple[int, int, int], str | None]:
        """Return the results, or else the classes, of all tasks that have ended."""
        ends: dict[tuple[int, int, int], str | None] = {}
        for report in self.reports:
            for group in report.finished:
                for index, result in zip(group.indexes, group.results, strict=True):
                    assert (group.stage, group.attempt, index) not in ends
                    ends[group.stage, group.attempt, index] = result
            for end in report.others:
                assert (end.stage, end.attempt, end.index) not in ends
                ends[end.stage, end.attempt, end.index] = end.result or end.exit_class or end.outcome
        return ends

    def results(self, consumer: int, producer: int) -> list[str | None]:
        """Return the inputs of a stage as the test says, or else as reported: who was returned is launched after that."""
        if consumer in self.inputs:
            return self.inputs[consumer][str(producer)]
        ends = self.ends()
        return [ends.get((producer, 0, index)) for index in range(self.launched[producer]["parallelism"])]

    def returned(self) -> set[tuple[int, int, int]]:
        return set(self.all_returned())

    def all_returned(self) -> list[tuple[int, int, int]]:
        """Return the tasks that were returned, each as often as it was, which is once for each time that it was launched."""
        returned = [
            (stage, attempt, index)
            for report in self.reports
            for stage, attempt, ranges in report.returns
            for low, high in ranges
            for index in range(low, high)
        ]
        assert all(count <= max(1, self.launches[task]) for task, count in Counter(returned).items())
        return returned

    def launch_again(self, *tasks: tuple[int, int, int]) -> None:
        """Launch these tasks, or all, again if they were returned, as the real server does.

        An agent may return whatever has not begun, as when the worker that was to run it ended.
        """
        for task, count in Counter(self.all_returned()).items():
            if count == self.launches[task] and (not tasks or task in tasks):
                stage, attempt, index = task
                self.launch(stage, attempt=attempt, first=index, **self.launched[stage])

    def have_ended(self, count: int) -> bool:
        """Say whether so many tasks have ended; what was returned meanwhile is launched again."""
        self.launch_again()
        return len(self.ends()) == count

    def started(self) -> set[tuple[int, int, int]]:
        return {
            (stage, attempt, index)
            for report in self.reports
            for stage, attempt, indexes, _ in report.starts
            for index in indexes
        }

    def end(self, stage: int, index: int = 0, attempt: int = 0) -> dict[str, Any]:
        """Wait for the end of a task that has more to tell than a result."""

        def find() -> dict[str, Any] | None:
            key = (stage, attempt, index)
            self.launch_again(key)
            return next((e for e in self.others() if (e["stage"], e["attempt"], e["index"]) == key), None)

        found: dict[str, Any] = self.until(find)
        return found

    def result(self, stage: int, index: int = 0, attempt: int = 0) -> Any:
        """Wait for the end of a task and return its result."""
        key = (stage, attempt, index)

        def has_ended() -> bool:
            self.launch_again(key)
            return key in self.ends()

        self.until(has_ended)
        text = self.ends()[key]
        assert text is not None
        return json.loads(text)

    def metrics(self, stage: int) -> Any:
        """Wait for the end of a stage's first task, which finished, and return the metrics that came with its result."""
        self.result(stage)
        groups = [group for report in self.reports for group in report.finished if group.stage == stage]
        told = {index: metrics for group in groups for index, _, _, _, _, metrics in group.ends()}
        return json.loads(told[0] or "null")
