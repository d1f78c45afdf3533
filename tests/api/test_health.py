"""Health: what /healthz and /readyz say of a stack that is whole, and of one that is not."""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db


def lead(seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_lease SET expires_at = now() + %s * interval '1 second'", [seconds])


def test_healthz_answers_anyone(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_while_a_scheduler_leads(client: Client, broker: object) -> None:
    lead(10)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"


def test_not_ready_once_the_lease_has_run_out(client: Client, broker: object) -> None:
    lead(-1)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["leader"] == "none"


def test_not_ready_without_redis(client: Client, settings: Settings) -> None:
    lead(10)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"] == "does not answer"
