"""Metrics: read from rows, for viewers, with labels that do not grow."""

from collections.abc import Callable

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from access.roles import Role
from jobs.leading import Leader
from jobs.models import Job
from tests.jobs.agents import ListAgent, turn
from tests.jobs.conftest import agent, job, leader
from tests.people import as_

__all__ = ["agent", "job", "leader"]

pytestmark = pytest.mark.django_db


def figures() -> dict[tuple[str, ...], float]:
    answer = Client(headers=as_(Role.VIEWER)).get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("switchyard_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_live_work_is_counted(leader: Leader, agent: ListAgent, job: Callable[..., Job]) -> None:
    job({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})
    job({"a": {"resources": {"cpus": 1_000_000}}})
    turn(leader)
    told = figures()
    assert told["queue_tasks", "default"] == 1
    assert told["held_tasks",] == 2
    assert told["tasks", "SCHEDULED"] >= 3
    assert told["node_resource_held", "n1", "cpus"] == 2000
    assert told["node_resource_total", "n1", "cpus"] == 2000
    assert told["nodes", "READY"] == 1
    assert told["leader_alive",] == 1
    assert told["jobs_submitted_recently",] == 2
    assert told["broker_messages", "reports"] == 0


def test_number_of_figures_does_not_grow_with_jobs(leader: Leader, job: Callable[..., Job]) -> None:
    job({"a": {}})
    turn(leader)
    figures()
    before = {key for key in figures() if not key[0].startswith(("django_", "python_"))}
    for _ in range(3):
        job({"a": {"parallelism": 5}})
    turn(leader)
    assert {key for key in figures() if not key[0].startswith(("django_", "python_"))} == before


def test_figures_are_told_without_a_broker(leader: Leader, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert figures()["leader_alive",] == 1


def test_requests_are_counted_by_view(client: Client, leader: Leader) -> None:
    client.get("/healthz")
    assert any(key[0].startswith("django_http_requests") for key in figures())
