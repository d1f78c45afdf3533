"""Vertices, subtasks and attempts; and the shapes of the older API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Task
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent, turn
from wires.flink.encode.vertices import SAMPLE

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]


def test_a_vertex_shows_its_subtasks_with_both_names_of_the_start(told: Told, running: Ids) -> None:
    found = told(f"/jobs/{running['job']}/vertices/{running['v0'].upper()}")
    assert (found["name"], found["parallelism"], [each["subtask"] for each in found["subtasks"]]) == ("read", 2, [0, 1])
    first = found["subtasks"][0]
    assert (first["status"], first["attempt"], first["host"], first["end-time"]) == ("RUNNING", 0, "n1:0", -1)
    assert first["start_time"] == first["start-time"] > 0
    assert (first["metrics"]["read-bytes"], first["metrics"]["read-bytes-complete"]) == (10, True)


def test_a_subtask_that_waits_is_nowhere(told: Told, running: Ids) -> None:
    write = told(f"/jobs/{running['job']}")["vertices"][1]["id"]
    (waiting,) = told(f"/jobs/{running['job']}/vertices/{write}")["subtasks"]
    assert (waiting["start-time"], waiting["duration"]) == (-1, -1)


def test_an_older_attempt_stays_readable(told: Told, failed: Ids) -> None:
    stage = int(failed["v0"], 16)
    Task.objects.filter(stage=stage, index=0).update(attempt=6)
    Attempt.objects.create(stage_id=stage, index=0, attempt=5, state=TaskState.FAILED, accumulators={"x": 1.5})
    path = f"/jobs/{failed['job']}/vertices/{failed['v0']}/subtasks/0/attempts/5"
    assert (told(path)["attempt"], told(path)["status"], told(path)["host"]) == (5, "FAILED", "(unassigned)")
    added = told(f"{path}/accumulators")
    assert added["user-accumulators"] == [{"name": "x", "type": "DoubleCounter", "value": "1.5"}]
    assert len(added["id"]) == 32


def test_times_are_those_of_each_state_that_was_entered(told: Told, running: Ids) -> None:
    (first, _) = told(f"/jobs/{running['job']}/vertices/{running['v0']}/subtasktimes")["subtasks"]
    times = first["timestamps"]
    assert 0 < times["CREATED"] <= times["SCHEDULED"]
    assert times["RUNNING"] > 0
    assert (times["FINISHED"], first["host"]) == (0, "n1")


def test_tasks_are_summed_up_by_node(told: Told, running: Ids) -> None:
    (node,) = told(f"/jobs/{running['job']}/vertices/{running['v0']}/taskmanagers")["taskmanagers"]
    assert (node["host"], node["status"], node["status-counts"]["RUNNING"]) == ("n1:0", "RUNNING", 2)
    assert (node["metrics"]["write-records"], node["metrics"]["write-records-complete"]) == (8, True)


def test_each_subtask_tells_what_it_added(told: Told, running: Ids) -> None:
    found = told(f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/accumulators")["subtasks"]
    assert [each["user-accumulators"][0]["value"] for each in found] == ["7", "7"]


def test_backpressure_is_told_at_once(told: Told, running: Ids) -> None:
    found = told(f"/jobs/{running['job']}/vertices/{running['v0']}/backpressure")
    assert (found["status"], [each["ratio"] for each in found["subtasks"]]) == ("ok", [0.0, 0.0])


def test_a_sample_of_backpressure_ended_before_the_question(told: Told, running: Ids) -> None:
    path = f"/jobs/{running['job']}/vertices/{running['v0']}"
    asked = told(path)["now"]
    ended = told(f"{path}/backpressure")["end-timestamp"]
    assert ended < asked
    assert ended % SAMPLE == 0, "the next question finds the same sample"


def test_what_a_full_buffer_holds_back_is_told_as_back_pressure(
    told: Told, submit: Callable[..., dict[str, Any]], leader: Leader, agent: ListAgent, placed: Callable[[], Any]
) -> None:
    needs = [{"stage": "a", "exchange": "pointwise", "buffer": 1}]
    made = submit({"a": {"parallelism": 3}, "b": {"parallelism": 3, "needs": needs}})
    turn(leader, agent.start(placed()))
    Job.objects.update(created_at=F("created_at") - timedelta(hours=1))
    vertex = told(f"/jobs/{made['id']}")["vertices"][0]["id"]
    path = f"/jobs/{made['id']}/vertices/{vertex}/backpressure"
    found = told(path)
    assert (found["status"], found["backpressure-level"]) == ("ok", "high")
    assert [(each["backpressure-level"], each["ratio"]) for each in found["subtasks"]] == [
        ("ok", 0),
        ("high", 1),
        ("high", 1),
    ]
    turn(leader, agent.finish(placed()))
    placed()
    turn(leader, agent.finish(placed()))
    first, second, third = told(path)["subtasks"]
    assert (first["ratio"], third["ratio"]) == (0, 1)
    assert 0.5 < second["ratio"] <= 1, "it was let through a moment ago"


@pytest.mark.parametrize(("blocked", "ratio", "level"), [(0.1, 0.1, "ok"), (0.4, 0.4, "low"), (7, 1, "high"), ("x", 0, "ok")])
def test_a_task_that_says_that_it_is_blocked_is_believed(
    told: Told, running: Ids, blocked: Any, ratio: float, level: str
) -> None:
    Task.objects.filter(index=1, stage__name="read").update(metrics={"blocked": blocked})
    found = told(f"/jobs/{running['job']}/vertices/{running['v0']}/backpressure")
    assert (found["backpressure-level"], found["subtasks"][1]["ratio"]) == (level, ratio)
    assert found["subtasks"][0]["ratio"] == 0


def test_what_there_is_none_of_is_empty(told: Told, running: Ids) -> None:
    assert told(f"/jobs/{running['job']}/vertices/{running['v0']}/watermarks") == []
    assert told("/datasets") == {"dataSets": []}
    assert told("/jars/")["files"] == []
    assert told("/config")["features"]["web-submit"] is True


def older(viewer: Client, path: str) -> Any:
    """Return an answer in the older shape."""
    answer = viewer.get(path, headers={"Accept": "application/vnd.flink.legacy+json"})
    assert answer.status_code == 200
    return answer.json()


def test_the_older_shapes_lack_what_came_later(viewer: Client, running: Ids) -> None:
    job = f"/jobs/{running['job']}"
    vertex = f"{job}/vertices/{running['v0']}"
    assert "features" not in older(viewer, "/config")
    assert "flink-version" not in older(viewer, "/overview")
    (row,) = older(viewer, "/jobs/overview")["jobs"]
    assert set(row["tasks"]) == {"total", "pending", "running", "finished", "canceling", "canceled", "failed"}
    shown = older(viewer, job)
    assert "isStoppable" not in shown
    assert (len(shown["timestamps"]), len(shown["status-counts"]), len(shown["vertices"][0]["tasks"])) == (8, 8, 8)
    assert set(shown["vertices"][0]["metrics"]) == {"read-bytes", "write-bytes", "read-records", "write-records"}
    assert set(older(viewer, f"{job}/plan")) == {"jid", "name", "nodes"}
    assert "user-config" not in older(viewer, f"{job}/config")["execution-config"]
    assert set(older(viewer, f"{job}/exceptions")) == {"root-exception", "all-exceptions", "truncated"}
    added = older(viewer, f"{job}/accumulators")
    assert set(added) == {"job-accumulators", "user-task-accumulators"}
    assert added["user-task-accumulators"][0]["value"] == "LongCounter 14"
    subtask = older(viewer, vertex)["subtasks"][0]
    assert (subtask["host"], "start_time" in subtask, len(subtask["metrics"])) == ("n1", False, 4)
    assert older(viewer, f"{vertex}/accumulators")["user-accumulators"][1]["value"] == "DoubleCounter 3.0"
    assert older(viewer, f"{vertex}/subtasks/accumulators")["subtasks"][0]["user-accumulators"][0]["value"] == "LongCounter 7"
    assert len(older(viewer, f"{vertex}/subtasks/0/attempts/0/accumulators")["id"]) == 16
    assert len(older(viewer, f"{vertex}/subtasks/0")["metrics"]) == 4
    assert len(older(viewer, f"{vertex}/subtasktimes")["subtasks"][0]["timestamps"]) == 8
    assert len(older(viewer, f"{vertex}/taskmanagers")["taskmanagers"][0]["status-counts"]) == 8


def test_the_older_errors_are_plain_text(viewer: Client) -> None:
    answer = viewer.get(f"/jobs/{'0' * 32}?legacy=true")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=UTF-8")
    assert answer.content == f"Job {'0' * 32} not found".encode()


def test_ten_thousand_subtasks_cost_no_more_statements_than_ten(
    viewer: Client, submit: Callable[..., dict[str, Any]], statements: Callable[[Client, str], int]
) -> None:
    pages = (
        "",
        "/subtasks/accumulators",
        "/subtasktimes",
        "/taskmanagers",
        "/metrics?get=0.a",
        "/accumulators",
        "/backpressure",
    )
    costs = []
    for tasks in (10, 10_000):
        made = submit({"a": {"parallelism": tasks}})["id"]
        (vertex,) = viewer.get(f"/jobs/{made}").json()["vertices"]
        costs.append([statements(viewer, f"/jobs/{made}/vertices/{vertex['id']}{page}") for page in pages])
    assert costs[0] == costs[1]
