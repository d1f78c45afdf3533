"""Workloads of files: one of 1 GiB stored and downloaded, and many tasks that share one of 100 MiB."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import descriptions
from bench.client import Client
from bench.installation import Installation
from bench.rows import Measured, Target
from bench.throughput import warm
from switchyard.agent.disk.cached import digest_of
from switchyard.agent.machine.description import version
from switchyard.agent.network.server import Server
from switchyard.client import Client as Person

MIB = 1024 * 1024
LARGE, SHARED, TASKS = 1024, 100, 1000
SECONDS = 300.0
#: Of the rate at which `cp` copies the same file on the same disk and flushes it.
RATIO = Target("ratio", "at least", 0.5)


def files(installation: Installation) -> Iterator[Measured]:
    """Store and download a file of 1 GiB, beside `cp` with fsync; then share one of 100 MiB among 1,000 tasks."""
    with tempfile.TemporaryDirectory(dir=installation.logs) as name, warm(installation):
        source = _made(Path(name) / "source", LARGE)
        copied = LARGE / _copied(source, Path(name) / "copy")
        stored = _timed(lambda: _store(installation, source))
        yield Measured(LARGE, stored, (RATIO,), {"way": "upload"}, reference=copied)
        job = _hand_on(installation, source)
        yield Measured(LARGE, _download(installation, job, Path(name)), (RATIO,), {"way": "download"}, reference=copied)
        shared = _made(Path(name) / "shared", SHARED)
        _hand_on(installation, shared)
        before = _read(installation)
        seconds = _timed(lambda: _hand_on(installation, shared, TASKS))
        fetches = round((_read(installation) - before) / (SHARED * MIB))
        # One of two nodes has it already.
        most = Target("fetches", "at most", installation.config.agents - 1)
        yield Measured(TASKS, seconds, (most,), {"way": "shared", "fetches": fetches})


def _made(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size):
            file.write(secrets.token_bytes(MIB))
        os.fsync(file.fileno())
    return path


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _copied(source: Path, target: Path) -> float:
    def copy() -> None:
        shutil.copyfile(source, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())

    return _timed(copy)


def _store(installation: Installation, source: Path) -> None:
    """Store a file as an agent does, its digest included."""
    server = Server(installation.config.url, installation.credentials.node_token)
    told: dict[str, Any] = {"totals": {"cpus": 1000}, "labels": {}, "pool": "nobody", "info": {}, "session": ""}
    server.register(name="by-hand", version=version(), secret=secrets.token_urlsafe(32), last_secret="", **told)
    with source.open("rb", buffering=0) as file:
        digest = digest_of(iter(lambda: file.read(MIB), b""))
        server.store(digest, file)
    server.close()


def _hand_on(installation: Installation, path: Path, consumers: int = 0) -> str:
    """Run a job whose first task hands a file on, and return its id."""
    job = descriptions.handing_on(f"cp {path} out/file", consumers)
    with Client(installation) as client:  # A connection that rested meanwhile may be closed.
        id_, _ = client.run(job, SECONDS)
    return id_


def _download(installation: Installation, job: str, folder: Path) -> float:
    with Person(installation.config.url, installation.credentials.token) as person:
        [file] = person.files(job)
        return _timed(lambda: person.download(job, file, folder / "got"))


def _read(installation: Installation) -> int:
    """Return how many bytes the web has read from files."""
    return sum(process.io_counters().read_chars for process in installation.trees("web"))
