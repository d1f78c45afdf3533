"""States of tasks between an agent and the server: many in one artifact on the way up, each a file of its own down here."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import httpx

from switchyard.agent.core.states import Pack, State
from switchyard.agent.network.server import PIECE, Server
from switchyard.agent.worker.states import Kept

#: States that one request keeps.
MOST = 10_000


class Part(NamedTuple):
    """Elements of a list that a file holds, from `low` up to `high`, which stand in another list from `at` on."""

    at: int
    path: Path
    low: int
    high: int


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
        parts: dict[int, list[Part]] = {}
        read: list[Path] = []
        for kept, states in self._server.states(stage, low, high):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            paths = self._read(folder, stage, kept, attempt, states)
            read += paths.values()
            for index, _, offset, size, is_json, length, _, _, first, last, place in states:
                if first < 0:
                    found[index] = _linked(paths[offset, size], folder / f"{index}-{attempt}"), is_json, length
                else:
                    parts.setdefault(index, []).append(Part(place, paths[offset, size], first, last))
        for index, shared in parts.items():
            found[index] = _joined_parts(shared, folder / f"{index}-{attempt}")
        for path in read:
            path.unlink()
        return found

    def _read(
        self, folder: Path, stage: int, kept: int, attempt: int, states: list[list[Any]]
    ) -> dict[tuple[int, int], Path]:
        """Write what an artifact has of states into files, each place of it once; return these by offset and size."""
        paths: dict[tuple[int, int], Path] = {}
        indexes = sorted({state[0] for state in states})
        for at in range(0, len(indexes), MOST):
            some = indexes[at : at + MOST]
            chosen = {(state[2], state[3]) for state in states if some[0] <= state[0] <= some[-1]}
            with self._server.stored_states(stage, kept, some) as pieces:
                source = Source(pieces)
                for offset, size in sorted(chosen):
                    path = paths[offset, size] = folder / f"{kept}-{offset}-{size}-{attempt}.part"
                    with path.open("wb") as file:
                        source.copy(size, file.write)
        return paths


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


def _linked(path: Path, target: Path) -> str:
    target.unlink(missing_ok=True)
    target.hardlink_to(path)
    return str(target)


def _joined_parts(parts: list[Part], target: Path) -> Kept:
    """Write the list of a task that is made of parts of others."""
    elements: list[Any] = []
    for part in sorted(parts):
        elements += json.loads(part.path.read_bytes())[part.low : part.high]
    aside = target.with_suffix(".new")
    aside.write_text(json.dumps(elements, separators=(",", ":")))
    aside.rename(target)
    return str(target), True, len(elements)


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
