"""One exchange with the server, repeated while that is safe. Refusals become errors.

Knows no path of the API (see client).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from switchyard.configuration import Server
from switchyard.errors import Refused, ServerFailed, Unreachable
from switchyard.scheduling.errors import Fault

API = "/api/v1/"
ANSWER_SECONDS = 60.0
CONNECT_SECONDS = 5.0
#: How long a request is repeated; longer for one that waits for a job anyway, while the server may restart.
PATIENCE = 1.5
#: Bytes of a file that are held at a time.
PIECE = 256 * 1024
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
PASSING = frozenset({429, 502, 503, 504})
SHOWN = 300
#: Entries of a list that are asked for at a time.
PAGE = 500


class Requests:
    """A connection to one server; threads may share it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._http = httpx.Client(
            base_url=f"{server.url}{API}",
            headers={"Authorization": f"Bearer {server.token}"} if server.token else {},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # A proxy meant for the world would send the loopback to another machine.
            trust_env=not server.is_local,
        )

    def pages(self, path: str, filters: Mapping[str, str | Sequence[str]], limit: int | None) -> Iterator[Any]:
        """Yield what a list has, page after page; the address in `next` is the server's own, so only its cursor is taken."""
        params: dict[str, Any] = {**filters, "limit": PAGE if limit is None else min(limit, PAGE)}
        left = limit
        while left is None or left > 0:
            page = self.send("GET", path, params=params).json()
            found = page["results"][:left]
            yield from found
            left = None if left is None else left - len(found)
            if not page["next"]:
                return
            params["cursor"] = parse_qs(urlsplit(page["next"]).query)["cursor"][0]

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool = True,
        patience: float = PATIENCE,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Send a request and return the answer; what may be done twice is repeated while the server is away.

        Raises Unreachable, ServerFailed or Refused.
        """
        request = self._http.build_request(method, path, params=params, json=json, headers=headers, files=files)
        deadline = time.monotonic() + (patience if repeatable else 0.0)
        pause = FIRST_PAUSE
        while True:
            try:
                return self._exchange(request)
            except (Unreachable, ServerFailed) as error:
                if not error.passing or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def pieces(self, path: str, offset: int) -> Iterator[Iterator[bytes]]:
        """Give what is at an address from an offset on, piece by piece; the errors are those of `send`."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        answer = self._exchange(self._http.build_request("GET", path, headers=headers), stream=True)
        try:
            if offset and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                raise ServerFailed(f"{self.server.url} gives no parts of files", passing=False)
            yield self._arriving(answer)
        finally:
            answer.close()

    def _arriving(self, answer: httpx.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_raw(PIECE)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(
            f"{self.server.url} does not answer ({str(error) or type(error).__name__}). Is it up (make status)? "
            "SWITCHYARD_URL says where it is."
        )

    def _exchange(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            answer = self._http.send(request, stream=stream)
            if stream and not answer.is_success:
                answer.read()
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if answer.is_success:
            return answer
        if answer.is_client_error and answer.status_code not in PASSING:
            raise Refused(answer.status_code, _faults(answer), _hint(answer, self.server), _answered(answer))
        said = _faults(answer)[0].sentence
        raise ServerFailed(f"{self.server.url} failed: {said}", passing=answer.status_code in PASSING)


def _faults(answer: httpx.Response) -> list[Fault]:
    try:
        return [Fault(each["attr"] or "", each["detail"]) for each in answer.json()["errors"]]
    except (ValueError, KeyError, TypeError):
        said = answer.text.strip()[:SHOWN] if "html" not in answer.headers.get("Content-Type", "") else ""
        if answer.status_code == httpx.codes.NOT_FOUND:
            return [Fault(answer.url.path, "there is nothing at this address; is it that of a Switchyard?")]
        return [Fault("", f"{answer.status_code} {answer.reason_phrase} {said}".strip())]


def _answered(answer: httpx.Response) -> dict[str, Any] | None:
    """Return an answer in the one shape of the API's errors; None if it has another, as a proxy's may."""
    try:
        told = answer.json()
    except ValueError:
        return None
    return told if isinstance(told, dict) and "errors" in told else None


def _hint(answer: httpx.Response, server: Server) -> str:
    if answer.status_code != httpx.codes.UNAUTHORIZED:
        return ""
    if server.token:
        return f"The token is not valid for {server.url}."
    return "Set SWITCHYARD_TOKEN; the token that make up made is in DATA_DIR/credentials.json."
