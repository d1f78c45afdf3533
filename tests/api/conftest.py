"""What tests of the API share: clients in a role, jobs submitted through the API, and a leader to run them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access.roles import Role
from artifacts.storage import Storage
from database import rows
from tests.jobs.conftest import agent, leader
from tests.people import as_

__all__ = ["agent", "leader"]

NOOP = {"python": "bench.callables:square"}


@pytest.fixture(autouse=True)
def data_folder(kept: Storage) -> None:
    """Keep artifacts and logs in a folder of the test's own."""


@pytest.fixture
def viewer(db: None) -> Client:
    return Client(headers=as_(Role.VIEWER))


@pytest.fixture
def operator(db: None) -> Client:
    return Client(headers=as_(Role.OPERATOR))


@pytest.fixture
def admin(db: None) -> Client:
    return Client(headers=as_(Role.ADMIN))


@pytest.fixture
def submit(operator: Client) -> Callable[..., dict[str, Any]]:
    """Submit a job of stages given by name, each with what differs from a single no-op task."""

    def post(stages: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
        described = {"name": "test", "stages": [{"name": name, **NOOP, **stage} for name, stage in stages.items()], **more}
        answer = operator.post("/api/v1/jobs", described, content_type="application/json")
        assert answer.status_code == 201, answer.content
        job: dict[str, Any] = answer.json()
        return job

    return post


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[Client, str], int]:
    """Count the statements that a GET costs: those that Django sends, and those that go past it."""
    past: list[str] = []

    def execute(statement: str, values: Any = ()) -> Any:
        past.append(statement)
        return plain(statement, values)

    def count(client: Client, path: str) -> int:
        b"".join(client.get(path))
        past.clear()
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
            b"".join(answer)
        assert answer.status_code == 200, path
        return len(captured) + len(past)

    plain = rows.execute
    monkeypatch.setattr(rows, "execute", execute)
    return count
