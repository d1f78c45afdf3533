"""One door: limits, quotas, idempotency and the bound on submissions at once are the same for every entrance."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from pytest_django import Settings

from access.models import AuditEntry
from access.roles import Role
from jobs.commands import admission
from jobs.models import Job
from switchyard.scheduling.lifecycle.states import JobState
from tests.people import as_, user_in

pytestmark = pytest.mark.django_db(transaction=True)

STAGES = [{"name": "a", "python": "bench.callables:square", "parallelism": 3}]
SECONDS = 30.0


class Knocked(threading.BoundedSemaphore):
    """A bound that tells when somebody comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.knocked = threading.Event()

    def acquire(self, *args: Any, **more: Any) -> bool:
        self.knocked.set()
        return super().acquire(*args, **more)

    __enter__ = acquire


def described(name: str = "test") -> bytes:
    return json.dumps({"name": name, "stages": STAGES}).encode()


def failed() -> Job:
    """Return a job that can be retried; it is nobody's, so that no quota counts it."""
    made = Client(headers=as_(Role.OPERATOR)).post("/api/v1/jobs", described("old"), content_type="application/json")
    Job.objects.filter(id=made.json()["id"]).update(state=JobState.CANCELED, ended_at=made.json()["created_at"], owner=None)
    return Job.objects.get(id=made.json()["id"])


class Entrance:
    """A way in: `send` asks for a job by it, and `refusal` says what it answered instead."""

    def __init__(self) -> None:
        self.client = Client(headers=as_(Role.OPERATOR))

    def send(self, **headers: str) -> Any:
        return self.client.post("/api/v1/jobs", described(), content_type="application/json", headers=headers)

    def other(self, **headers: str) -> Any:
        return self.client.post("/api/v1/jobs", described("other"), content_type="application/json", headers=headers)

    def refusal(self, answer: Any) -> tuple[int, str]:
        return answer.status_code, str(answer.json()["errors"][0]["detail"])


class Retry(Entrance):
    """POST /api/v1/jobs/{job}/retry."""

    def __init__(self) -> None:
        super().__init__()
        self.old = failed()

    def send(self, **headers: str) -> Any:
        return self.client.post(f"/api/v1/jobs/{self.old.id}/retry", headers=headers)


class Flink(Entrance):
    """POST /jobs of Flink's REST API."""

    def send(self, **headers: str) -> Any:
        return self.client.post("/v1/jobs", {"a": SimpleUploadedFile("a.json", described())}, headers=headers)

    def other(self, **headers: str) -> Any:
        return self.client.post("/jobs", {"a": SimpleUploadedFile("a.json", described("other"))}, headers=headers)

    def refusal(self, answer: Any) -> tuple[int, str]:
        return answer.status_code, str(answer.json()["errors"][0])


class Admin(Retry):
    """The action of the admin's list of jobs, which tells on the next page what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client()
        self.client.force_login(user_in(Role.ADMIN))

    def send(self, **headers: str) -> Any:
        data = {"action": "retry", "_selected_action": [str(self.old.id)]}
        return self.client.post("/admin/jobs/job/", data, headers=headers, follow=True)

    def refusal(self, answer: Any) -> tuple[int, str]:
        return (403 if "SWITCHYARD_QUOTA" in answer.content.decode() else 400), answer.content.decode()


@pytest.fixture(params=[Entrance, Retry, Flink, Admin], ids=lambda kind: kind.__name__)
def entrance(request: pytest.FixtureRequest, broker: Any) -> Entrance:
    made: Entrance = request.param()
    return made


def new() -> list[Job]:
    return list(Job.objects.exclude(name="old", retried_from=None).order_by("number"))


def test_the_same_key_gives_the_same_job_and_one_row_in_the_audit(entrance: Entrance) -> None:
    before = AuditEntry.objects.count()
    answers = [entrance.send(**{"Idempotency-Key": "k"}) for _ in range(2)]
    assert len(new()) == 1
    assert AuditEntry.objects.count() == before + 1
    assert all(answer.status_code < 300 for answer in answers)
    entrance.send(**{"Idempotency-Key": "l"})
    assert len(new()) == 2


def test_a_key_that_came_with_something_else_is_refused(entrance: Entrance) -> None:
    entrance.send(**{"Idempotency-Key": "k"})
    status, detail = entrance.refusal(entrance.other(**{"Idempotency-Key": "k"}))
    if not isinstance(entrance, Admin):
        assert (status, "Idempotency-Key" in detail) == (422, True)
        assert len(new()) == 1


def test_a_key_that_is_none_is_refused(entrance: Entrance) -> None:
    status, detail = entrance.refusal(entrance.send(**{"Idempotency-Key": "x" * 201}))
    assert (status, "1 to 200 printable characters" in detail) == (400, True)
    assert new() == []


def test_more_than_the_limits_allow_is_refused_by_name(entrance: Entrance, settings: Settings) -> None:
    settings.DESCRIPTION_LIMITS = {"tasks": 2}
    status, detail = entrance.refusal(entrance.send())
    assert (status, "3 tasks in all; at most 2 are allowed" in detail) == (400, True)
    assert new() == []


def test_more_than_the_quota_allows_is_refused_by_name(entrance: Entrance, settings: Settings) -> None:
    settings.QUOTA_TASKS = 2
    status, detail = entrance.refusal(entrance.send())
    assert (status, "SWITCHYARD_QUOTA_TASKS" in detail) == (403, True)
    assert new() == []


def test_no_more_than_so_many_are_worked_on_at_once(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = Knocked()
    monkeypatch.setattr(admission, "AT_ONCE", bound)
    with bound:
        bound.knocked.clear()
        thread = threading.Thread(target=_sent, args=[entrance.send])
        thread.start()
        assert bound.knocked.wait(SECONDS)
        assert new() == []
    thread.join(SECONDS)
    assert len(new()) == 1


def _sent(send: Callable[[], Any]) -> None:
    try:
        send()
    finally:
        connections.close_all()
