"""The scheduler in Scale's words: what is shown, what may be changed, and what is told of what may not."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from jobs.leader.loop import Leader
from jobs.leader.snapshot import Surveyor
from jobs.models import Lease
from nodes.models import Scheduler
from tests.jobs.agents import ListAgent, turn

pytestmark = pytest.mark.django_db

OLDER = ["/scheduler/", "/v4/scheduler/", "/v5/scheduler/", "/scheduler"]
NEWER = "/v6/scheduler/"
TEXT = "text/plain; charset=utf-8"


def patch(client: Client, path: str, body: Any, type_: str = "application/json") -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("PATCH", path, sent, content_type=type_)


@pytest.mark.parametrize("path", OLDER)
def test_the_older_scheduler_says_whether_it_is_paused_and_nothing_else(viewer: Client, path: str) -> None:
    assert viewer.get(path).json() == {"is_paused": False}
    Scheduler.objects.update(paused=True)
    assert viewer.get(path).json() == {"is_paused": True}


@pytest.mark.parametrize("path", OLDER)
def test_a_change_in_the_older_shape_is_a_201_with_its_location(operator: Client, path: str) -> None:
    answer = patch(operator, path, {"is_paused": True})
    assert (answer.status_code, answer.json()) == (201, {"is_paused": True})
    assert answer["Content-Type"] == "application/json"
    assert answer["Location"] == f"http://testserver{path}"
    assert Scheduler.objects.get().paused
    assert patch(operator, path, {"is_paused": False}, "nonsense").json() == {"is_paused": False}


@pytest.mark.parametrize("path", OLDER)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "No fields specified for update."),
        (b"", "No fields specified for update."),
        ({"a": 1, "b": 2}, "Unexpected fields: a, b"),
        ({"is_paused": True, "b": 2}, "Unexpected fields: b"),
        ({"queue_mode": "LIFO"}, "Unexpected fields: queue_mode"),
    ],
)
def test_what_may_not_be_said_is_told_as_text(operator: Client, path: str, body: Any, told: str) -> None:
    answer = patch(operator, path, body)
    assert (answer.status_code, answer["Content-Type"], answer.content.decode()) == (400, TEXT, told)
    assert not Scheduler.objects.get().paused


BAD = [
    b"[]",
    b"null",
    b"1",
    b"{",
    b"\xff",
    b"[" * 100_000,
    b'{"is_paused": "maybe"}',
    b'{"is_paused": null}',
    b'{"\\ud800": 1}',
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("path", ["/scheduler/", NEWER])
def test_a_wrong_type_is_a_400(operator: Client, path: str, body: bytes) -> None:
    answer = patch(operator, path, body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == (TEXT if path != NEWER else "application/json")
    assert not AuditEntry.objects.exists()


def test_the_newer_scheduler_tells_four_fields_and_is_changed_without_an_answer(operator: Client) -> None:
    assert operator.get(NEWER).json() == {
        "is_paused": False,
        "num_message_handlers": 1,
        "queue_mode": "FIFO",
        "system_logging_level": "INFO",
    }
    answer = patch(operator, NEWER, {"queue_mode": "lifo", "num_message_handlers": 3, "system_logging_level": "debug"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert operator.get(NEWER).json() == {
        "is_paused": False,
        "num_message_handlers": 3,
        "queue_mode": "LIFO",
        "system_logging_level": "DEBUG",
    }
    assert Scheduler.objects.get().allocation == "lifo"


def test_a_level_that_is_none_means_info(operator: Client) -> None:
    assert patch(operator, NEWER, {"system_logging_level": "ERROR"}).status_code == 204
    assert patch(operator, NEWER, {"system_logging_level": "noisy"}).status_code == 204
    assert operator.get(NEWER).json()["system_logging_level"] == "INFO"


@pytest.mark.parametrize(
    "body",
    [
        {"num_message_handlers": "abc"},
        {"num_message_handlers": -1},
        {"num_message_handlers": 10**30},
        {"num_message_handlers": True},
        {"queue_mode": 1},
        {"queue_mode": "\ud800"},
        {"system_logging_level": None},
        {"is_paused": True, "nonsense": 1},
        {},
    ],
)
def test_what_the_newer_scheduler_may_not_be_told_is_answered_with_a_text_in_json(operator: Client, body: Any) -> None:
    answer = patch(operator, NEWER, body)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)
    assert not Scheduler.objects.get().paused


def test_an_unknown_queue_mode_is_told_as_scale_does(operator: Client) -> None:
    answer = patch(operator, NEWER, {"queue_mode": "random"})
    assert answer.json() == "Unexpected value random for queue_mode. Valid values are FIFO, LIFO"


def test_only_what_changes_is_audited(operator: Client) -> None:
    for path, status in (("/scheduler/", 201), (NEWER, 204)):
        assert patch(operator, path, {"is_paused": True}).status_code == status
    assert AuditEntry.objects.get().details == {"paused": True}


@pytest.mark.parametrize("path", ["/scheduler/", NEWER])
def test_a_body_that_was_broken_off_changes_nothing(operator: Client, path: str) -> None:
    sent = b'{"is_paused": true}'
    for length in (len(sent) + 1, 10**6):
        broken: Any = {"wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(length)}
        assert operator.generic("PATCH", path, sent, **broken).status_code == 400
    assert operator.get(path).json()["is_paused"] is False


@pytest.mark.parametrize("path", ["/scheduler/", NEWER])
def test_a_missing_row_is_made_again(operator: Client, path: str) -> None:
    Scheduler.objects.all().delete()
    assert operator.get(path).json()["is_paused"] is False
    Scheduler.objects.all().delete()
    assert patch(operator, path, {"is_paused": True}).status_code in (201, 204)
    assert Scheduler.objects.get().paused


def test_a_row_that_cannot_be_read_is_a_500_in_text(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("forced")

    monkeypatch.setattr("nodes.reading.scheduler", fail)
    viewer.raise_request_exception = False
    answer = viewer.get("/scheduler/")
    assert (answer.status_code, answer["Content-Type"]) == (500, TEXT)


def test_the_version_is_the_products_and_open_to_anyone(anonymous: Client) -> None:
    answer = anonymous.get("/v6/version/")
    assert (answer.status_code, answer.json()) == (200, {"version": settings.VERSION})


@pytest.mark.parametrize(
    "path", ["/v2/scheduler/", "/v3/status/", "/v7/status/", "/v5/version/", "/v4/nodes/", "/v66/version/"]
)
def test_other_versions_are_a_404(viewer: Client, path: str) -> None:
    answer = viewer.get(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("path", ["/status/", "/v4/status/", "/v5/status/"])
def test_the_older_status_tells_of_the_cluster_as_it_is(
    viewer: Client, submit: Callable[..., Any], leader: Leader, agent: ListAgent, placed: Callable[[], Any], path: str
) -> None:
    submit({"a": {"parallelism": 5}, "b": {"needs": ["a"], "parallelism": 7}})
    assert viewer.get(path).json()["queue_depth"] == 5
    placed()
    assert viewer.get(path, headers={"Host": "localhost:8000"}).json() == {
        "master": {"is_online": True, "hostname": "localhost", "port": 8000},
        "scheduler": {"is_online": True, "is_paused": False, "hostname": "test"},
        "queue_depth": 5,
        "resources": {
            "total": {"cpus": 2.0, "mem": 4096.0, "disk": 0.0},
            "scheduled": {"cpus": 2.0, "mem": 0.0, "disk": 0.0},
            "used": {"cpus": 0.0, "mem": 0.0, "disk": 0.0},
        },
    }
    Scheduler.objects.update(paused=True)
    assert viewer.get(path).json()["scheduler"]["is_paused"] is True


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("localhost:8000", "localhost", 8000),
        ("[::1]:8000", "::1", 8000),
        ("[::1]", "::1", 80),
        ("localhost:65536", "localhost", 80),
        ("localhost:99999999", "localhost", 80),
        ("127.0.0.1:0", "127.0.0.1", 80),
    ],
)
def test_the_master_is_where_the_client_asked_if_there_can_be_such_a_place(
    viewer: Client, host: str, name: str, port: int
) -> None:
    answer = viewer.get("/status/", headers={"Host": host})
    assert answer.status_code == 200
    assert answer.json()["master"] == {"is_online": True, "hostname": name, "port": port}


def test_a_scheduler_that_went_away_keeps_its_host(viewer: Client, leader: Leader) -> None:
    leader.surveyor = Surveyor()
    turn(leader)
    before = [viewer.get(path).json()["scheduler"]["hostname"] for path in ("/status/", "/v6/status/")]
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    told = viewer.get("/status/").json()["scheduler"]
    assert (told["is_online"], [told["hostname"]] * 2) == (False, before)
    assert viewer.get("/v6/status/").json()["scheduler"]["hostname"] == told["hostname"]


def test_without_a_leader_the_scheduler_is_offline(viewer: Client) -> None:
    told = viewer.get("/status/").json()
    assert told["scheduler"] == {"is_online": False, "is_paused": False, "hostname": "testserver"}
    assert told["master"] == {"is_online": True, "hostname": "testserver", "port": 80}
