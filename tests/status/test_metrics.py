"""Metrics: read from rows, for viewers, with labels that do not grow."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from access.roles import Role
from jobs import tasks
from jobs.commands import control
from jobs.commands.submit import hint
from jobs.leader.loop import Leader
from jobs.models import Figure, Job
from switchyard.messaging.messages import HINT_QUEUE
from tests.jobs.agents import ListAgent, turn
from tests.jobs.conftest import agent, job, leader
from tests.people import ANN, as_

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
    assert told["broker_messages", "reports"] == 0


def test_a_hint_that_the_broker_does_not_take_is_counted(broker: redis.Redis) -> None:
    before = figures()["hints_dropped_total",]
    hint()
    assert figures()["hints_dropped_total",] == before
    broker.set(HINT_QUEUE, "no list, so that nothing can be put in it")
    hint()
    broker.delete(HINT_QUEUE)
    assert figures()["hints_dropped_total",] == before + 1


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


def test_what_a_job_took_is_told_from_rows(leader: Leader, agent: ListAgent, job: Callable[..., Job]) -> None:
    job({"a": {"parallelism": 3}})
    leader.tick()
    before, began = figures(), time.monotonic()
    while Job.objects.get().ended_at is None:
        turn(leader)
        agent.listen()
        tasks.report(json.dumps(agent.finish(agent.tasks()).encode()))
        turn(leader)
    leader.tick()
    leader.tick()
    told = figures()
    grown = {key: value - before.get(key, 0) for key, value in told.items()}
    assert grown["placements_total",] == 3
    assert grown["report_lag_seconds_count",] == agent.number
    assert grown["round_seconds_count",] >= 1
    assert 0 < grown["round_seconds_sum",] < time.monotonic() - began
    assert grown["planning_seconds_count",] == 1
    assert grown["planning_seconds_sum",] == pytest.approx(Job.objects.get().planning_ms / 1000)
    assert told["job_seconds_count", "FINISHED"] == 1
    assert told["job_seconds_bucket", "+Inf", "FINISHED"] == 1
    assert told["job_seconds_bucket", "0.01", "FINISHED"] == 0


def test_a_new_leader_counts_no_job_twice_and_misses_none(leader: Leader, agent: ListAgent, job: Callable[..., Job]) -> None:
    for ended in (1, 2):
        submitted = job({"a": {}})
        turn(leader)
        control.cancel(ANN, submitted.id)
        turn(leader)
        agent.listen()
        turn(leader, agent.give_back(agent.tasks()))
        Leader(leader.epoch).tick()
        assert figures()["job_seconds_count", "CANCELED"] == ended


def test_an_idle_cluster_writes_no_figures(leader: Leader, agent: ListAgent) -> None:
    for _ in range(3):
        turn(leader)
        leader.tick()
    assert not Figure.objects.exists()


def test_figures_of_a_hundred_thousand_tasks_are_read_from_their_counters(
    leader: Leader, agent: ListAgent, job: Callable[..., Job], django_assert_max_num_queries: Callable[..., Any]
) -> None:
    job({"a": {"parallelism": 100_000}})
    turn(leader)
    with django_assert_max_num_queries(25) as queries:
        assert figures()["queue_tasks", "default"] > 90_000
    assert not any("jobs_task" in query["sql"] for query in queries)
