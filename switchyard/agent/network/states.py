"""States of tasks between an agent and the server: many in one artifact on the way up, each a file of its own down here."""

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from switchyard.agent.core.states import Pack, State
from switchyard.agent.network.server import PIECE, Server
from switchyard.agent.worker.states import Kept

#: States that one request keeps.
MOST = 10_000


class StateTransfer:
    """Moves the states of one agent's tasks."""

    def __init__(self, server: Server, data: Path) -> None:
        self._server = server
        self._data = data

    def store(self, pack: Pack) -> bool:
        """Store states at the server; return whether any of them is kept."""
        path = self._data / "results" / f"pack-{secrets.token_hex(8)}"
        try:
            with path.open("x+b") as file:
                digest, told = _joined(pack.states, file)
                if digest:
                    self._server.store(digest, file)
        finally:
            path.unlink(missing_ok=True)
        parts = [told[at : at + MOST] for at in range(0, len(told), MOST)]
        kept = [self._server.keep_states(pack.stage, pack.checkpoint or None, digest, part) for part in parts]
        return any(kept)

    def fetch(self, stage: int, attempt: int, low: int, high: int) -> Mapping[int, Kept]:
        """Return the states that tasks of a stage go on from, by index, in files."""
        folder = self._data / "inputs" / str(stage) / "states"
        found: dict[int, Kept] = {}
        for kept, states in self._server.states(stage, low, high):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for at in range(0, len(states), MOST):
                found |= self._read(folder, stage, kept, attempt, sorted(states[at : at + MOST], key=lambda state: state[2]))
        return found

    def _read(self, folder: Path, stage: int, kept: int, attempt: int, states: list[list[Any]]) -> dict[int, Kept]:
        """Write states that come one behind the other, in the order of their offsets, into files."""
        found: dict[int, Kept] = {}
        with self._server.stored_states(stage, kept, [state[0] for state in states]) as pieces:
            source = Source(pieces)
            for index, _, _, size, is_json, length, *_ in states:
                path = folder / f"{index}-{attempt}"
                aside = path.with_suffix(".new")
                with aside.open("wb") as file:
                    source.copy(size, file.write)
                aside.rename(path)
                found[index] = str(path), is_json, length
        return found


class Source:
    """Pieces of bytes, read by number of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def copy(self, size: int, write: Any) -> None:
        """Write the next bytes; raise httpx.ReadError if there are not as many."""
        while size:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raise httpx.ReadError("the states end too early")
            part, self._rest = self._rest[:size], self._rest[size:]
            size -= len(part)
            write(part)


def _joined(states: list[State], file: BinaryIO) -> tuple[str, list[list[Any]]]:
    """Write states behind each other; return the digest, empty for no bytes, and each as jobs.store.states.State has it."""
    found, told, now = hashlib.sha256(), [], time.monotonic_ns() // 1000
    for state in states:
        (_, attempt, index), saved, begin = state.task, state.saved, file.tell()
        size, age = -1, max(0, now - saved.at) if saved.at else 0
        if state.path:
            with suppress(FileNotFoundError), Path(state.path).open("rb", buffering=0) as source:
                while piece := source.read(PIECE):
                    found.update(piece)
                    file.write(piece)
                size = file.tell() - begin
        told.append([index, attempt, begin, size, bool(saved.is_json), saved.length, saved.sync, age])
    return found.hexdigest() if file.tell() else "", told
