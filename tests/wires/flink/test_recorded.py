"""What a real cluster of Flink 1.9 answered: ours to the same question has its keys and types, and at the top no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Task
from tests.jobs.agents import ListAgent
from tests.wires.flink.conftest import ADDED
from tests.wires.flink.test_checkpoints import checkpointed

pytestmark = pytest.mark.django_db

RECORDED = Path(__file__).parent / "recorded"
Ids = dict[str, str]
Told = Callable[..., Any]
#: Questions by the name of the file; what users named stands in these objects.
OPEN = {"user-config", "accumulator-results"}
#: Metrics of collectors and of whole processes that agents do not tell.
OF_A_JVM = ("Status.JVM.GarbageCollector.", "Status.JVM.CPU.Time", "Status.JVM.Threads.")
#: What sources lack.
OPTIONAL = {"inputs"}
WHILE_RUNNING = {
    "config": "/config",
    "overview": "/overview",
    "jobs": "/jobs",
    "jobs_overview": "/jobs/overview",
    "jars": "/jars",
    "stream_job": "/jobs/{job}",
    "stream_job_accumulators": "/jobs/{job}/accumulators",
    "stream_job_config": "/jobs/{job}/config",
    "stream_job_exceptions": "/jobs/{job}/exceptions",
    "stream_job_plan": "/jobs/{job}/plan",
    "stream_v0": "/jobs/{job}/vertices/{v0}",
    "stream_v0_accumulators": "/jobs/{job}/vertices/{v0}/accumulators",
    "stream_v0_backpressure_sampled": "/jobs/{job}/vertices/{v0}/backpressure",
    "stream_v0_subtasks_0": "/jobs/{job}/vertices/{v0}/subtasks/0",
    "stream_v0_subtasks_0_attempts_0": "/jobs/{job}/vertices/{v0}/subtasks/0/attempts/0",
    "stream_v0_subtasks_0_attempts_0_accumulators": "/jobs/{job}/vertices/{v0}/subtasks/0/attempts/0/accumulators",
    "stream_v0_subtasks_accumulators": "/jobs/{job}/vertices/{v0}/subtasks/accumulators",
    "stream_v0_subtasktimes": "/jobs/{job}/vertices/{v0}/subtasktimes",
    "stream_v0_taskmanagers": "/jobs/{job}/vertices/{v0}/taskmanagers",
    "jobs_metrics_list": "/jobs/metrics",
    "jobs_metrics_get": "/jobs/metrics?get=uptime,restartingTime",
    "stream_v0_metrics_get": "/jobs/{job}/vertices/{v0}/metrics?get=0.numRecordsIn",
    "stream_v0_subtasks_metrics_get_numRecordsIn_numRecordsOut": (
        "/jobs/{job}/vertices/{v0}/subtasks/metrics?get=numRecordsIn,numRecordsOut"
    ),
    "taskmanager_metrics_list": "/taskmanagers/{node}/metrics",
    "taskmanagers_metrics_get": "/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used",
    "taskmanager": "/taskmanagers/{node}",
    "taskmanagers": "/taskmanagers",
}
ONCE_FINISHED = {
    "batch_accumulators_finished": "/jobs/{job}/accumulators",
    "batch_execution_result_finished": "/jobs/{job}/execution-result",
}
ONCE_FAILED = {
    "failing_exceptions_failed": "/jobs/{job}/exceptions",
    "failing_execution_result_failed": "/jobs/{job}/execution-result",
}

WITH_CHECKPOINTS = {
    "stream_checkpoint_details": "/jobs/{job}/checkpoints/details/1",
    "stream_job_checkpoints": "/jobs/{job}/checkpoints",
    "stream_job_checkpoints_config": "/jobs/{job}/checkpoints/config",
    "stream_v0_checkpoint_subtasks": "/jobs/{job}/checkpoints/details/1/subtasks/{v0}",
}


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def assert_fits(theirs: Any, ours: Any, where: str = "") -> None:
    """Assert that an answer of ours has at least what theirs has."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        assert set(theirs) - OPTIONAL <= set(ours), where
        for name in set(theirs) & set(ours):
            if name not in OPEN:
                assert_fits(theirs[name], ours[name], f"{where}.{name}")
    elif isinstance(theirs, list) and isinstance(ours, list):
        for each in ours if theirs else []:
            assert_fits(theirs[0], each, f"{where}[]")
    elif theirs is not None and ours is not None:
        assert type(theirs) is type(ours), where


def assert_same_top(theirs: Any, ours: Any) -> None:
    """Assert that an answer has the very keys at its top, or that both are lists."""
    assert type(theirs) is type(ours)
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)


@pytest.mark.parametrize("name", WHILE_RUNNING)
def test_a_running_job_is_told_of_as_recorded(told: Told, running: Ids, name: str) -> None:
    theirs, ours = recorded(name)["body"], told(WHILE_RUNNING[name].format(**running))
    assert_same_top(theirs, ours)
    assert_fits(theirs, ours)


@pytest.mark.parametrize("name", ONCE_FINISHED)
def test_a_finished_job_is_told_of_as_recorded(told: Told, running: Ids, finish: Callable[[], None], name: str) -> None:
    finish()
    Task.objects.filter(stage__name="read").update(accumulators=ADDED)
    theirs, ours = recorded(name)["body"], told(ONCE_FINISHED[name].format(**running))
    assert_same_top(theirs, ours)
    assert_fits(theirs, ours)


@pytest.mark.parametrize("name", ONCE_FAILED)
def test_a_failed_job_is_told_of_as_recorded(told: Told, failed: Ids, name: str) -> None:
    theirs, ours = recorded(name)["body"], told(ONCE_FAILED[name].format(**failed))
    assert_same_top(theirs, ours)
    assert_fits(theirs, ours)


@pytest.mark.parametrize("name", WITH_CHECKPOINTS)
def test_checkpoints_are_told_of_as_recorded(told: Told, running: Ids, agent: ListAgent, name: str) -> None:
    checkpointed(running, agent)
    theirs, ours = recorded(name)["body"], told(WITH_CHECKPOINTS[name].format(**running))
    if name == "stream_checkpoint_details":
        # By the ids of vertices.
        theirs["tasks"] = dict.fromkeys(ours["tasks"], next(iter(theirs["tasks"].values())))
    assert_same_top(theirs, ours)
    assert_fits(theirs, ours)


@pytest.mark.parametrize("name", ["jobs_metrics_list", "taskmanager_metrics_list"])
def test_metrics_have_the_recorded_names(told: Told, running: Ids, name: str) -> None:
    theirs = {metric["id"] for metric in recorded(name)["body"]}
    ours = {metric["id"] for metric in told(WHILE_RUNNING[name].format(**running))}
    assert {each for each in theirs - ours if not each.startswith(OF_A_JVM)} == set()


def test_backpressure_of_what_does_not_run_is_told_as_recorded(told: Told, running: Ids) -> None:
    waiting = next(vertex["id"] for vertex in told(f"/jobs/{running['job']}")["vertices"] if vertex["name"] == "write")
    assert told(f"/jobs/{running['job']}/vertices/{waiting}/backpressure") == recorded("stream_v0_backpressure")["body"]


@pytest.mark.parametrize("name", ["err_job_badid", "err_job_unknown"])
def test_errors_are_told_as_recorded(told: Told, name: str) -> None:
    theirs = recorded(name)
    path = theirs["request"].split()[1]
    assert told(path, theirs["status"]) == theirs["body"]


def test_nothing_that_was_recorded_is_left_unused() -> None:
    used = {*WHILE_RUNNING, *ONCE_FINISHED, *ONCE_FAILED, *WITH_CHECKPOINTS, "stream_v0_backpressure"}
    elsewhere = {"err_job_badid", "err_job_unknown", "err_method", "legacy", "upload_ok"}
    assert {each.stem for each in RECORDED.iterdir()} == used | elsewhere
