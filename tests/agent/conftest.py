"""What the tests of the agent share: a real agent process on the run's Redis, and the server's side of the protocol.

The server is a small HTTP server of this file, so that a test can refuse, delay and lose what it wants to.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from celery import Celery

from switchyard.messaging import transport
from switchyard.messaging.messages import COMMAND_TASK, IDENTITY, Command, Launch, Report, queue_of

SECONDS = 40.0
ROOT = Path(__file__).parents[2]


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
        self.items: dict[int, list[Any]] = {}
        self.files: dict[int, dict[str, Any]] = {}
        #: Descriptions that are left out of commands, and paths that are refused, by their first part.
        self.descriptions: dict[int, dict[str, Any]] = {}
        self.refused_parts: set[str] = set()
        self.requests: Counter[str] = Counter()
        self.artifacts: dict[str, bytes] = {}
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
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
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
            "inputs": inputs or [], **({"items": items} if items else {}),
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
        return [end for report in self.reports for end in report.others]

    def ends(self) -> dict[tuple[int, int, int], str | None]:
        """Return the results, or else the classes, of all tasks that have ended."""
        ends: dict[tuple[int, int, int], str | None] = {}
        for report in self.reports:
            for group in report.finished:
                for index, result in zip(group.indexes, group.results, strict=True):
                    assert (group.stage, group.attempt, index) not in ends
                    ends[group.stage, group.attempt, index] = result
            for end in report.others:
                assert (end["stage"], end["attempt"], end["index"]) not in ends
                ends[end["stage"], end["attempt"], end["index"]] = end["result"] or end["class"] or end["outcome"]
        return ends

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

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805, C901
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                split = urlsplit(self.path)
                parts = split.path.removeprefix("/api/v1/agent/").split("/")
                query = {name: values[0] for name, values in parse_qs(split.query).items()}
                server.requests[parts[0]] += 1
                if server.down or server.down_for or (server.refuse_logs and parts[0] == "logs"):
                    server.down_for = max(0, server.down_for - 1)
                    self.reply(503, {})
                elif server.refusal and parts[0] == "register":
                    server.refused += 1
                    self.reply(409, {"errors": [{"code": server.refusal_code, "detail": server.refusal}]})
                elif parts[0] not in ("register", "left") and self.headers.get(IDENTITY) != f"1 {server.secret}":
                    self.reply(409, {"errors": [{"code": "session_ended", "detail": "This session has ended."}]})
                elif server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                    self.reply(401, {})
                elif parts[0] == "heartbeat" and server.distrust:
                    server.distrusted += 1
                    self.reply(*server.distrust)
                elif parts[0] == "heartbeat" and json.loads(body)["session"] == server.ended_session:
                    self.reply(409, {"errors": [{"code": "session_ended", "detail": "This session has ended."}]})
                elif parts[0] in server.refused_parts:
                    self.reply(403, {"errors": [{"code": "not_yours", "detail": "Nothing of that is placed here."}]})
                else:
                    self.reply(200, getattr(self, f"on_{parts[0]}")(parts[1:], query, body))

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def reply(self, status: int, value: Any) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def on_register(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                told = json.loads(body)
                again = told["secret"] == server.secret
                last = told["session"] == server.session and (again or told["last_secret"] == server.secret)
                resumed = server.resume and (last or (again and told["session"] == server.predecessor))
                server.predecessor, server.secret = told["session"], told["secret"]
                server.sessions += 1
                if not resumed:
                    server.acknowledged = 0
                server.registrations.append(told)
                return {
                    "node": 1, "session": server.session, "resumed": resumed, "last_report": server.acknowledged,
                    "pause": server.pause, "broker": server.login, "proof": "proof",
                }  # fmt: skip

            def on_heartbeat(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                told = json.loads(body)
                server.http_heartbeats.append(told)
                return {"acknowledged": told["number"] if server.acknowledge_heartbeats else 0}

            def on_left(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                assert "Authorization" not in self.headers
                server.left.append(json.loads(body))
                return {}

            def on_stages(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                return server.descriptions[int(parts[0])]

            def on_inputs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                texts = server.inputs[int(parts[0])][parts[1]]
                spans = [span.split("-") for span in query["tasks"].split(",")]
                asked = [index for low, high in spans for index in range(int(low), int(high))]
                given = [[index, texts[index]] for index in asked if texts[index] not in (None, "failed")]
                return {"given": given, "failed": [[i, i + 1] for i in asked if texts[i] == "failed"], "left_out": []}

            def on_items(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                return {"items": server.items[int(parts[0])][int(query["low"]) : int(query["high"])]}

            def on_files(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                return server.files[int(parts[0])]

            def on_artifacts(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                server.artifacts[parts[0]] = body
                return {}

            def on_logs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
                name, offset = "/".join(parts), int(query["offset"])
                assert offset <= len(server.logs.get(name, b""))
                server.logs[name] = server.logs.get(name, b"")[:offset] + body
                return {}

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class Agent:
    """An agent process."""

    def __init__(
        self,
        server: Server,
        data: Path,
        *options: str,
        env: dict[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.data = data
        self._stderr = data.with_name(f"{data.name}.stderr{len(server.agents)}")
        server.agents.append(self)
        with self._stderr.open("w") as stderr:
            self.process = self._begin(server, options, env or {}, python, stderr)

    def _begin(
        self, server: Server, options: Sequence[str], env: dict[str, str], python: Sequence[str], stderr: IO[str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*python, "-m", "switchyard.agent", "--server", server.url, "--name", "node", "--data", str(self.data), *options],
            cwd=ROOT,
            env={
                **{name: os.environ[name] for name in ("PATH",)},
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
                "REDIS_URL": server.redis_url,
                "SECRET_OF_THE_AGENT": "hidden",
                **env,
            },
            stderr=stderr,
        )

    def kill(self) -> None:
        """Kill the agent alone, at once."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = SECONDS) -> str:
        """Ask the agent to go; return what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = SECONDS) -> str:
        """Wait until the agent has ended; return what it wrote to standard error."""
        self.process.wait(timeout)
        return self._said()

    def story(self) -> str:
        """Return whether the agent lives, and the end of what it wrote to standard error."""
        status = self.process.poll()
        state = "runs" if status is None else f"ended with status {status}"
        return f"agent {self.process.pid} {state}:\n{self._said()[-5000:]}"

    def _said(self) -> str:
        return self._stderr.read_text()


@pytest.fixture
def server(broker: redis.Redis, redis_url: str) -> Iterator[Server]:
    """Give the server's side, which has heard of no agent yet."""
    server = Server(broker, redis_url)
    yield server
    server.close()


@pytest.fixture
def start_agent(server: Server, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Give a function that starts an agent and waits until it has registered."""
    agents: list[Agent] = []

    def start(*options: str, data: Path = tmp_path / "agent", **how: Any) -> Agent:
        known = len(server.registrations)
        agent = Agent(server, data, *(options or ("--slots", "2")), **how)
        agents.append(agent)
        wait_until(lambda: len(server.registrations) > known or agent.process.poll() is not None)
        return agent

    yield start
    for agent in agents:
        if agent.process.poll() is None:
            agent.kill()


@pytest.fixture
def agent(start_agent: Callable[..., Agent]) -> Agent:
    """Give an agent with two slots."""
    return start_agent()


def wait_until(condition: Callable[[], Any], timeout: float = SECONDS) -> Any:
    """Return what a condition returns as soon as it holds: for what no event tells, such as files and processes."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value
