"""Fixtures of the fault tests: the stack of real processes, and the invariants watched while faults land."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, own_broker
from tests.flows.conftest import idle, stack
from tests.flows.stack import Stack, Watch

__all__ = ["idle", "stack"]


@pytest.fixture
def watch(stack: Stack) -> Iterator[Watch]:
    """Watch the invariants every 100 ms until the test ends; none may be broken, ever."""
    watch = Watch()
    watch.start()
    yield watch
    assert watch.end() == []
    assert watch.rounds > 2


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in which tasks leave marks; no two attempts of one task may have run at once (I4)."""
    folder = tmp_path / "marks"
    folder.mkdir()
    yield folder
    assert list(folder.glob("overlap-*")) == []


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """Give a Redis that only this test's processes use."""
    with own_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    """Give the URL of the test's own Redis if it asks for one, else that of this worker's database."""
    if "own" not in request.fixturenames:
        return redis_url
    own: Broker = request.getfixturevalue("own")
    return own.url
