"""The client of a workload: submits over HTTP as a user does, and watches the rows where a user would ask the API.

One connection to the web and one to the database, both kept open; a thread has its own client.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import psycopg

from bench.installation import Installation

POLL_SECONDS = 0.005
#: A watch's questions cost what the clients' own would; more of them would take part of what is measured.
WATCH_SECONDS = 0.01


class Unfinished(Exception):
    """Jobs did not end in time."""


class Refused(Exception):
    """The web did not take a job."""


class Watch:
    """Sees the ends of many jobs for many threads: one question for all of them, as each of them asking would cost more."""

    def __init__(self, installation: Installation) -> None:
        self._database = psycopg.connect(installation.database_url, autocommit=True)
        self._awaited: dict[str, threading.Event] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._database.close()

    def until_ended(self, id_: str, seconds: float) -> None:
        """Return when a job has ended, however."""
        ended = self._awaited[id_] = threading.Event()
        if not ended.wait(seconds):
            raise Unfinished(f"a job had not ended after {seconds:g} s")

    def _look(self) -> None:
        question = "SELECT id::text FROM jobs_job WHERE id = ANY(%s::uuid[]) AND ended_at IS NOT NULL"
        while not self._over.wait(WATCH_SECONDS):
            for (id_,) in self._database.execute(question, [list(self._awaited)], prepare=True):
                self._awaited.pop(id_).set()


class Client:
    """Speaks to one installation."""

    def __init__(self, installation: Installation) -> None:
        config = installation.config
        self._http = http.client.HTTPConnection(config.host, config.port, timeout=60.0)
        self._headers = {
            "Authorization": f"Bearer {installation.credentials.token}",
            "Content-Type": "application/json",
        }
        self.database = psycopg.connect(installation.database_url, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()
        self.database.close()

    def submit(self, description: Mapping[str, Any]) -> str:
        """Submit a job and return its id, once the 201 is here."""
        self._http.request("POST", "/api/v1/jobs", json.dumps(description), self._headers)
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != http.client.CREATED:
            raise Refused(f"{answer.status}: {body[:500].decode(errors='replace')}")
        id_: str = json.loads(body)["id"]
        return id_

    def post(self, path: str) -> None:
        """Ask for something that needs no more than its path."""
        self._http.request("POST", path, headers=self._headers)
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise Refused(f"{path}: {answer.status}: {body[:500].decode(errors='replace')}")

    def get(self, path: str) -> bytes:
        """Return what is told at a path."""
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise Refused(f"{path}: {answer.status}: {body[:500].decode(errors='replace')}")
        return body

    def wait(self, ids: Iterable[str], seconds: float, *, left: int = 0, poll: float = POLL_SECONDS) -> None:
        """Return when all these jobs have ended, however, or all but so many."""
        sought, deadline = list(ids), time.monotonic() + seconds
        while (live := self._live(sought)) > left:
            if time.monotonic() > deadline:
                raise Unfinished(f"{live} of {len(sought)} jobs had not ended after {seconds:g} s")
            time.sleep(poll)

    def run(self, description: Mapping[str, Any], seconds: float, *, poll: float = POLL_SECONDS) -> tuple[str, float]:
        """Submit a job and see it end; return its id and the seconds from the POST to the sight of its end."""
        begun = time.perf_counter()
        id_ = self.submit(description)
        self.wait([id_], seconds, poll=poll)
        return id_, time.perf_counter() - begun

    def _live(self, ids: list[str]) -> int:
        row = self.database.execute(
            "SELECT count(*) FROM jobs_job WHERE id = ANY(%s) AND ended_at IS NULL", [ids], prepare=True
        ).fetchone()
        return int(row[0]) if row else 0
