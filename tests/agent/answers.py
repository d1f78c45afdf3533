"""What the server of the tests answers to an agent over HTTP."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from switchyard.messaging.messages import IDENTITY

if TYPE_CHECKING:
    from tests.agent.server import Server

SESSION_ENDED = (409, {"errors": [{"code": "session_ended", "detail": "This session has ended."}]})


def handler_of(server: "Server") -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests of one server."""
    return type("Bound", (Handler,), {"server_side": server})


class Handler(BaseHTTPRequestHandler):
    """Answers what agents ask, by what its server has."""

    server_side: "Server"
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        part, *parts = split.path.removeprefix("/api/v1/agent/").split("/")
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        self.server_side.requests[part] += 1
        refusal = self.refusal(part, body)
        self.reply(*(refusal or (200, getattr(self, f"on_{part}")(parts, query, body))))

    def refusal(self, part: str, body: bytes) -> tuple[int, Any] | None:
        """Return with which status and body a request is refused."""
        server = self.server_side
        if server.down or server.down_for or (server.refuse_logs and part == "logs"):
            server.down_for = max(0, server.down_for - 1)
            return 503, {}
        if server.refusal and part == "register":
            server.refused += 1
            return 409, {"errors": [{"code": server.refusal_code, "detail": server.refusal}]}
        if part not in ("register", "left") and self.headers.get(IDENTITY) != f"1 {server.secret}":
            return SESSION_ENDED
        if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
            return 401, {}
        if part == "heartbeat":
            return self.heartbeat_refusal(body)
        if part == "artifacts" and self.command == "PUT" and server.full:
            return 507, {"errors": [{"code": "storage_full", "detail": "The storage is full."}]}
        if part in server.refused_parts:
            return 403, {"errors": [{"code": "not_yours", "detail": "Nothing of that is placed here."}]}
        return None

    def heartbeat_refusal(self, body: bytes) -> tuple[int, Any] | None:
        server = self.server_side
        if server.distrust:
            server.distrusted += 1
            return server.distrust
        return SESSION_ENDED if json.loads(body)["session"] == server.ended_session else None

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def reply(self, status: int, value: Any) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def on_register(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        told = json.loads(body)
        again = told["secret"] == self.server_side.secret
        last = told["session"] == self.server_side.session and (again or told["last_secret"] == self.server_side.secret)
        resumed = self.server_side.resume and (last or (again and told["session"] == self.server_side.predecessor))
        self.server_side.predecessor, self.server_side.secret = told["session"], told["secret"]
        self.server_side.sessions += 1
        if not resumed:
            self.server_side.acknowledged = 0
        self.server_side.registrations.append(told)
        return {
            "node": 1, "session": self.server_side.session, "resumed": resumed, "last_report": self.server_side.acknowledged,
            "pause": self.server_side.pause, "broker": self.server_side.login, "proof": "proof",
        }  # fmt: skip

    def on_heartbeat(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        told = json.loads(body)
        self.server_side.http_heartbeats.append(told)
        return {"acknowledged": told["number"] if self.server_side.acknowledge_heartbeats else 0}

    def on_left(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        assert "Authorization" not in self.headers
        self.server_side.left.append(json.loads(body))
        return {}

    def on_stages(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return self.server_side.descriptions[int(parts[0])]

    def on_inputs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        if len(parts) == 5:
            return self.server_side.artifacts[parts[4]]
        if len(parts) == 3:
            return self.stored(int(parts[2]))
        texts = self.server_side.results(int(parts[0]), int(parts[1]))
        spans = [span.split("-") for span in query["tasks"].split(",")]
        asked = [index for low, high in spans for index in range(int(low), int(high))]
        given: list[list[Any]] = [[index, texts[index]] for index in asked if texts[index] not in (None, "failed")]
        values = self.server_side.stored
        stored = [[i, hashlib.sha256(json.dumps(values[i]).encode()).hexdigest()] for i in asked if i in values]
        failed = [[i, i + 1] for i in asked if texts[i] == "failed"]
        files = [[i, told] for i, told in self.server_side.handed.items() if i in asked]
        given += [[i, "null"] for i, _ in files]
        return {"given": given, "failed": failed, "left_out": [], "files": files, **({"stored": stored} if stored else {})}

    def stored(self, index: int) -> Any:
        """Return a stored result, or something else as often as the test wants."""
        self.server_side.garbled -= 1
        return "garbage" if self.server_side.garbled >= 0 else self.server_side.stored[index]

    def on_states(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return {"kept": []}

    def on_items(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return {"items": self.server_side.items[int(parts[0])][int(query["low"]) : int(query["high"])]}

    def on_files(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return self.server_side.files[int(parts[0])]

    def on_artifacts(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        server, digest = self.server_side, parts[0]
        if self.command == "GET":
            return {"stored": digest in server.artifacts, "offset": len(server.partial.get(digest, b""))}
        assert int(query.get("offset", 0)) == len(server.partial.get(digest, b""))
        server.artifacts[digest] = server.partial.get(digest, b"") + body
        return {}

    def on_logs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        name, offset = "/".join(parts), int(query["offset"])
        assert offset <= len(self.server_side.logs.get(name, b""))
        self.server_side.logs[name] = self.server_side.logs.get(name, b"")[:offset] + body
        return {}

    def log_message(self, *args: Any) -> None:
        pass
