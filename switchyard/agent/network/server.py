"""The server's HTTP interface for an agent: registration, data, and heartbeats while Redis is away."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import SEEK_END
from threading import Lock
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

import httpx

from switchyard.messaging.messages import IDENTITY
from switchyard.scheduling.indexes import IndexSet

TIMEOUT = 30.0
#: Seconds that the server may take to have stored what it was sent.
STORING = 300.0
#: Bytes of a file that are held at a time.
PIECE = 256 * 1024
#: Ranges of tasks that an address names; more are asked for as one.
RANGES = 200
BAD_TOKEN = "the server does not accept the node token (SWITCHYARD_NODE_TOKEN)"
NO_TOKEN = (
    "SWITCHYARD_NODE_TOKEN is not set: on the server's own machine the token is node_token in DATA_DIR/credentials.json; "
    'for another an admin makes one, POST /api/v1/tokens {"name": "…", "role": "agent"} (docs/operating.md)'
)


class Refused(Exception):
    """The server understood and said no; asking again changes nothing."""


class StorageFails(httpx.HTTPError):
    """The server cannot use its storage now, which may be full; the text says so."""


class SessionEnded(Refused):
    """The session has ended: the server has what runs in it run elsewhere, or is about to."""


class Occupied(Refused):
    """Another agent runs as this node, and is heard."""


class Untrusted(SessionEnded):
    """The token is not valid, or is not any more: no session that it began goes on."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What the server answers to a registration; `resumed` if the last session goes on or was taken over.

    `pause` is the epoch of the last pause that was settled on the node. `login` is name and password of the session's user at
    the broker; None where that makes no users. `proof` shows, when the token is not valid any more, whose word this is.
    """

    node: int
    session: str
    resumed: bool
    last_report: int
    pause: int = 0
    login: tuple[str, str] | None = None
    proof: str = ""


class Server:
    """Asks the server. Raises httpx.HTTPError when it cannot be reached or fails, Refused when it says no."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._has_token = bool(token)
        self._url = f"{url.rstrip('/')}/api/v1/agent"
        self._client = httpx.Client(base_url=self._url, timeout=TIMEOUT, headers=headers)
        self._guard = Lock()
        self._storing: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        #: Whether the server has ended the session, or hears another agent in its place.
        self.ended = False

    def register(self, **told: Any) -> Registered:
        """Ask for a session; from then on, say whose it is with the secret that was told."""
        answer = self._ask("POST", "register", json=told).json()
        self._client.headers[IDENTITY] = f"{answer['node']} {told['secret']}"
        user = answer.get("broker")
        return Registered(
            answer["node"],
            answer["session"],
            resumed=bool(answer.get("resumed")),
            last_report=int(answer.get("last_report") or 0),
            pause=int(answer.get("pause") or 0),
            login=(user["name"], user["password"]) if user else None,
            proof=answer.get("proof", ""),
        )

    def heartbeat(self, heartbeat: dict[str, Any]) -> int:
        """Tell that this agent lives; return the number of the heartbeat that was heard."""
        return int(self._ask("POST", "heartbeat", json=heartbeat).json()["acknowledged"])

    def leave(self, session: Registered) -> bool:
        """Tell that nothing of a session is left, whatever the token; say whether it was heard."""
        told = {"node": session.node, "session": session.session, "proof": session.proof}
        try:
            return httpx.post(f"{self._url}/left", json=told, timeout=TIMEOUT).is_success
        except httpx.HTTPError:
            return False

    def description(self, stage: int) -> Mapping[str, Any]:
        """Return the description of a stage, as switchyard.agent.core.stages.Stage.complete reads it."""
        description: Mapping[str, Any] = self._ask("GET", f"stages/{stage}").json()
        return description

    def inputs(self, stage: int, producer: int, tasks: IndexSet) -> Mapping[str, Any]:
        """Return what is known of some tasks of a stage that this one needs, as agent.stages.Stage.take reads it."""
        span = tasks if len(tasks.ranges) <= RANGES else IndexSet.span(tasks.ranges[0][0], tasks.ranges[-1][1])
        asked = ",".join(f"{low}-{high}" for low, high in span.ranges)
        outcomes: Mapping[str, Any] = self._ask("GET", f"inputs/{stage}/{producer}", params={"tasks": asked}).json()
        return outcomes

    def stored_input(self, stage: int, producer: int, index: int) -> AbstractContextManager[Iterator[bytes]]:
        """Give a large result of a task of a stage that this one needs, piece by piece."""
        return self._stream(f"inputs/{stage}/{producer}/{index}")

    def items(self, stage: int, low: int, high: int) -> dict[int, Any]:
        """Return the items of foreach of a range of tasks."""
        answer = self._ask("GET", f"items/{stage}", params={"low": low, "high": high}).json()
        return dict(enumerate(answer["items"], low))

    def files(self, stage: int) -> Mapping[str, Any]:
        """Return the files that a stage's job brings along, each as its text or as an object."""
        files: Mapping[str, Any] = self._ask("GET", f"files/{stage}").json()
        return files

    def program(self, stage: int, digest: str) -> AbstractContextManager[Iterator[bytes]]:
        """Give the program that a stage's job brings along, piece by piece."""
        return self._stream(f"programs/{stage}/{digest}")

    def has(self, digest: str) -> bool:
        """Ask whether a file is stored; it stays for a day then."""
        return bool(self._ask("GET", f"artifacts/{digest}").json()["stored"])

    def store(self, digest: str, file: BinaryIO, while_wanted: Callable[[], None] = lambda: None) -> None:
        """Store a file under its SHA-256 digest unless it is there, piece by piece, and from where an earlier try broke off.

        Before each piece it is asked whether that is still wanted. The same file is stored once at a time.
        """
        with self._guard:
            alone = self._storing.setdefault(digest, Lock())
        with alone:
            self._store(digest, file, while_wanted)

    def _store(self, digest: str, file: BinaryIO, while_wanted: Callable[[], None]) -> None:
        told = self._ask("GET", f"artifacts/{digest}").json()
        if told["stored"]:
            return
        size = file.seek(0, SEEK_END)
        offset = min(int(told.get("offset", 0)), size)
        file.seek(offset)

        def pieces() -> Iterator[bytes]:
            while piece := file.read(PIECE):
                while_wanted()
                yield piece

        headers, params = {"Content-Length": str(size - offset)}, {"offset": offset} if offset else {}
        self._ask("PUT", f"artifacts/{digest}", content=pieces(), headers=headers, params=params, timeout=STORING)

    def file(self, stage: int, producer: int, index: int, digest: str) -> AbstractContextManager[Iterator[bytes]]:
        """Give a file that a task hands on to a stage, piece by piece."""
        return self._stream(f"inputs/{stage}/{producer}/{index}/files/{digest}")

    def keep_states(self, stage: int, checkpoint: int | None, digest: str, states: Sequence[Sequence[Any]]) -> bool:
        """Keep states of running tasks, which an artifact holds; return whether any of them is kept."""
        told = {"checkpoint": checkpoint, "digest": digest, "states": states}
        return bool(self._ask("POST", f"states/{stage}", json=told).json()["kept"])

    def states(self, stage: int, low: int, high: int) -> list[tuple[int, list[list[Any]]]]:
        """Return the states that tasks of a stage go on from, by the artifact that holds them (jobs.store.states.State)."""
        kept: list[tuple[int, list[list[Any]]]] = self._ask(
            "GET", f"states/{stage}", params={"low": low, "high": high}
        ).json()["kept"]
        return kept

    def stored_states(self, stage: int, kept: int, tasks: Sequence[int]) -> AbstractContextManager[Iterator[bytes]]:
        """Give the states of some tasks in one artifact, one behind the other."""
        return self._stream(f"states/{stage}/{kept}", "POST", json={"tasks": list(tasks)})

    def append_log(self, log: tuple[int, int, int, str], offset: int, data: bytes) -> None:
        """Append to the log of (stage, index, attempt, stream); what is there already from `offset` on is the same."""
        path = "/".join(map(str, log))
        self._ask("POST", f"logs/{path}", params={"offset": offset}, content=data)

    def close(self) -> None:
        self._client.close()

    def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self._judge(method, path, self._client.request(method, f"/{path}", **how))

    @contextmanager
    def _stream(self, path: str, method: str = "GET", **how: Any) -> Iterator[Iterator[bytes]]:
        with self._client.stream(method, f"/{path}", **how) as answer:
            if not answer.is_success:
                answer.read()
            self._judge(method, path, answer)
            yield answer.iter_bytes(PIECE)

    def _judge(self, method: str, path: str, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._has_token and _reason(answer):
            self.ended = True
            raise Untrusted(BAD_TOKEN)
        if answer.status_code == httpx.codes.UNAUTHORIZED or (answer.status_code, path) == (403, "register"):
            raise Refused(BAD_TOKEN if self._has_token else NO_TOKEN)
        if answer.status_code == httpx.codes.CONFLICT and "session_ended" in answer.text:
            self.ended = True
            raise SessionEnded(_said(answer))
        if answer.status_code == httpx.codes.CONFLICT and '"occupied"' in answer.text:
            raise Occupied(_said(answer))
        if answer.status_code in (503, 507) and '"storage_' in answer.text:
            raise StorageFails(_said(answer))
        if answer.status_code == httpx.codes.CONFLICT and '"gap"' in answer.text and path.startswith("artifacts/"):
            raise httpx.ReadError("an upload goes on at another place")
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 425, 429):
            raise Refused(f"{method} {path}: {answer.status_code} {_said(answer)}")
        if not answer.is_success:
            text = f"{method} {path}: {answer.status_code} {_said(answer)}"
            raise httpx.HTTPStatusError(text, request=answer.request, response=answer)
        return answer


def _said(answer: httpx.Response) -> str:
    """Return what is given as the reason."""
    return _reason(answer) or answer.text[:300]


def _reason(answer: httpx.Response) -> str:
    """Return what the server gives as its reason; empty where a proxy answered."""
    try:
        return " ".join(error["detail"] for error in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return ""
