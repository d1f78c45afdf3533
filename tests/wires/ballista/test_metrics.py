"""Ballista's metrics: the eight of its documentation, true at the moment of asking."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.models import Job
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.wires.ballista.conftest import recorded

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
Placed = Callable[[], list[tuple[int, int, int]]]
COUNTERS = ("job_submitted_total", "job_completed_total", "job_failed_total", "job_cancelled_total", "failed")


def samples(client: Client) -> dict[str, float]:
    lines = text(client).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def text(client: Client) -> str:
    answer = client.get("/api/metrics", headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4")
    return answer.content.decode()


def test_metrics_are_those_of_the_documentation_with_help_type_and_buckets(viewer: Client) -> None:
    lines = text(viewer).splitlines()
    wanted = recorded("metrics")
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == set(wanted)
    for name, (kind, help_, buckets) in wanted.items():
        assert f"# TYPE {name} {kind}" in lines
        assert f"# HELP {name} {help_}" in lines
        if buckets:
            told = [line.split('"')[1] for line in lines if line.startswith(f"{name}_bucket")]
            assert told == buckets
            assert [f"{name}_{each} 0" in "\n".join(lines) for each in ("sum", "count")] == [True, True]
        else:
            assert f"{name} 0" in lines


def test_each_end_is_counted_once_at_once_and_after_it_was_recorded(
    viewer: Client, operator: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    submit({"a": {}})
    turn(leader, agent.finish(placed()))
    submit({"a": {}})
    turn(leader, agent.fail(placed()))
    operator.patch(f"/api/job/{submit({'a': {'resources': {'cpus': 1000}}})['id']}")
    turn(leader)
    submit({"a": {"resources": {"cpus": 1000}}})
    wanted = [4, 1, 1, 1, 1]
    for _ in range(3):
        found = samples(viewer)
        assert [found[name] for name in COUNTERS] == wanted
        assert found["planning_time_ms_count"] == found['planning_time_ms_bucket{le="+Inf"}'] == 4
        assert found["job_exec_time_seconds_count"] == 1
        leader.tick()
    Job.objects.filter(ended_at__isnull=False).delete()
    assert [samples(viewer)[name] for name in COUNTERS] == wanted


def test_times_fall_into_their_buckets(viewer: Client, submit: Submit) -> None:
    for seconds, planning in ((0.4, 1.0), (20, 3), (30, 30), (45, 700)):
        id_ = submit({"a": {}})["id"]
        Job.objects.filter(id=id_).update(
            state=JobState.FINISHED,
            ended_at=timezone.now(),
            created_at=timezone.now() - timedelta(seconds=seconds),
            planning_ms=planning,
        )
    found = samples(viewer)
    jobs = [found[f'job_exec_time_seconds_bucket{{le="{le}"}}'] for le in ("0.5", "1", "5", "30", "60", "+Inf")]
    assert jobs[:3] + jobs[4:] == [1, 1, 1, 4, 4]
    planned = [found[f'planning_time_ms_bucket{{le="{le}"}}'] for le in ("1", "5", "25", "100", "500", "+Inf")]
    assert planned == [1, 2, 2, 3, 3, 4]
    assert found["planning_time_ms_sum"] == pytest.approx(734)
    assert found["job_exec_time_seconds_sum"] == pytest.approx(95.4, abs=1)


def test_pending_tasks_are_those_that_could_run_and_do_not(
    viewer: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    point = {"stage": "a", "exchange": "pointwise"}
    submit({"a": {"parallelism": 10}, "b": {"parallelism": 10, "needs": [point]}, "c": {"needs": ["a"]}})
    assert samples(viewer)["pending_task_queue_size"] == 10
    tasks = placed()
    turn(leader, agent.start(tasks[:2]))
    assert samples(viewer)["pending_task_queue_size"] == 8
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    assert samples(viewer)["pending_task_queue_size"] == 0
