"""Savepoints by Flink's requests: asked for, polled, and disposed of, by the newer and the older API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import Settings

from jobs.leader.loop import Leader
from jobs.models import Checkpoint, Job
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.jobs.checkpointing import answer
from tests.wires.flink.test_jars import asked

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Submit = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.SAVEPOINT_FOLDERS = [tmp_path / "savepoints"]
    return tmp_path / "savepoints"


def write(leader: Leader, agent: ListAgent, running: Ids) -> None:
    """Let both tasks of the running job answer, and the leader write the savepoint."""
    turn(leader)
    leader.checkpoint()
    stage = int(running["v0"], 16)
    answer(agent, Checkpoint.objects.latest("id"), [(stage, 0, 0), (stage, 0, 1)])
    leader.checkpoint()
    turn(leader)
    leader.checkpoint()


def test_one_is_asked_for_and_polled_then_disposed_of(
    operator: Client, running: Ids, leader: Leader, agent: ListAgent, folder: Path
) -> None:
    path = f"/jobs/{running['job']}/savepoints"
    body = {"target-directory": f"file://{folder}/mine", "cancel-job": False}
    trigger = asked(operator, "POST", path, body, 202)
    assert set(trigger) == {"request-id"}
    polled = f"{path}/{trigger['request-id']}"
    assert asked(operator, "GET", polled) == {"status": {"id": "IN_PROGRESS"}, "operation": None}
    write(leader, agent, running)
    ended = asked(operator, "GET", polled)
    location = ended["operation"]["location"]
    assert ended == {"status": {"id": "COMPLETED"}, "operation": {"location": location}}
    assert location.startswith(f"file:{folder}/mine/savepoint-{running['job'][:6]}-")
    assert Path(location.removeprefix("file:"), "_metadata").exists()
    found = asked(operator, "GET", f"/jobs/{running['job']}/checkpoints")
    latest = found["latest"]["savepoint"]
    assert (latest["id"], latest["is_savepoint"], latest["external_path"]) == (1, True, location)
    assert found["latest"]["completed"] is None

    disposal = asked(operator, "POST", "/savepoint-disposal", {"savepoint-path": location})
    disposed = asked(operator, "GET", f"/savepoint-disposal/{disposal['request-id']}")
    assert disposed == {"status": {"id": "COMPLETED"}, "operation": {}}
    assert asked(operator, "GET", f"/jobs/{running['job']}/checkpoints")["latest"]["savepoint"]["discarded"] is True
    again = asked(operator, "POST", "/savepoint-disposal", {"savepoint-path": location})
    told = asked(operator, "GET", f"/savepoint-disposal/{again['request-id']}")
    assert "There is no savepoint at" in told["operation"]["failure-cause"]["stack-trace"]


@pytest.mark.parametrize("drain", [False, True])
def test_a_stop_ends_the_job_with_it(
    operator: Client, running: Ids, leader: Leader, agent: ListAgent, *, drain: bool
) -> None:
    trigger = asked(operator, "POST", f"/jobs/{running['job']}/stop", {"drain": drain}, 202)
    write(leader, agent, running)
    job = Job.objects.get(id=UUID(running["job"]))
    assert (job.state, job.draining) == ((JobState.RUNNING, True) if drain else (JobState.CANCELING, False))
    polled = f"/jobs/{running['job']}/savepoints/{trigger['request-id']}"
    assert asked(operator, "GET", polled)["status"] == {"id": "IN_PROGRESS"}


def test_the_older_api_cancels_with_one(operator: Client, running: Ids, leader: Leader, agent: ListAgent) -> None:
    base = f"/jobs/{running['job']}/cancel-with-savepoint"
    outside = asked(operator, "GET", f"{base}/target-directory/%2Fetc/", status=202)
    failed = asked(operator, "GET", outside["location"], status=500)
    assert (failed["status"], "outside of the folders" in failed["cause"]) == ("failed", True)
    found = operator.get(f"{base}/")
    told = found.json()
    number = told["request-id"]
    assert (found.status_code, found["Location"]) == (202, f"{base}/in-progress/{number}")
    assert told == {"status": "accepted", "request-id": number, "location": f"{base}/in-progress/{number}"}
    polled = asked(operator, "GET", told["location"], status=202)
    assert polled == {"status": "in-progress", "request-id": number}
    write(leader, agent, running)
    assert Job.objects.get(id=UUID(running["job"])).state == JobState.CANCELING
    unknown = asked(operator, "GET", f"{base}/in-progress/999999", status=400)
    assert "No request has the id 999999" in unknown["errors"][0]


def test_what_cannot_be_saved_is_told_to_who_polls(operator: Client, submit: Submit, running: Ids) -> None:
    waiting = UUID(submit({"a": {}})["id"]).hex
    for job, body, why in (
        (waiting, {}, "does not run"),
        (running["job"], {"target-directory": "/etc"}, "outside of the folders"),
        (running["job"], {"target-directory": "hdfs://host/a"}, "no absolute path"),
    ):
        trigger = asked(operator, "POST", f"/jobs/{job}/savepoints", body, 202)
        told = asked(operator, "GET", f"/jobs/{job}/savepoints/{trigger['request-id']}")
        assert told["status"] == {"id": "COMPLETED"}
        assert why in told["operation"]["failure-cause"]["stack-trace"]
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/jobs/{job}/savepoints", {"bogus": 1}, "expected format SavepointTriggerRequestBody"),
        ("/jobs/{job}/savepoints", {"cancel-job": "yes"}, "expected format SavepointTriggerRequestBody"),
        ("/jobs/{job}/savepoints", {"target-directory": 1}, "expected format SavepointTriggerRequestBody"),
        ("/jobs/{job}/stop", {"cancel-job": True}, "expected format StopWithSavepointRequestBody"),
        ("/savepoint-disposal", {}, "savepoint-path must not be omitted"),
        ("/savepoint-disposal", {"savepoint-path": 1}, "expected format"),
    ],
)
def test_odd_bodies_are_refused(operator: Client, running: Ids, path: str, body: Any, reason: str) -> None:
    assert reason in asked(operator, "POST", path.format(job=running["job"]), body, 400)["errors"][0]
    assert not Checkpoint.objects.exists()


def test_viewers_take_none(viewer: Client, running: Ids) -> None:
    for path in (f"/jobs/{running['job']}/savepoints", f"/jobs/{running['job']}/stop", "/savepoint-disposal"):
        asked(viewer, "POST", path, {}, 403)
    asked(viewer, "GET", f"/jobs/{running['job']}/cancel-with-savepoint", status=403)
