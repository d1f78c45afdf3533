"""Jobs in Ballista's words: sentences, times, shares, plans, settings, and the answers to a cancel."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.models import Job, Stage
from switchyard.scheduling.lifecycle.states import TASK_PLACES, JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.wires.ballista.conftest import recorded

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
Told = Callable[..., Any]
Placed = Callable[[], list[tuple[int, int, int]]]
CANCELS = {
    "queued": JobState.CREATED,
    "running": JobState.RUNNING,
    "completed": JobState.FINISHED,
    "failed": JobState.FAILED,
    "cancelled": JobState.CANCELED,
}


def shown(told: Told, id_: str) -> dict[str, Any]:
    """Return a job, of which the list tells the same apart from its plans."""
    job: dict[str, Any] = told("/api/job/{id}", id=id_)
    (listed,) = [each for each in told("/api/jobs") if each["job_id"] == id_]
    assert listed == {name: value for name, value in job.items() if not name.endswith("_plan")}
    return job


def test_a_queued_job_has_no_times(told: Told, submit: Submit) -> None:
    job = shown(told, submit({"a": {}, "b": {"needs": ["a"]}})["id"])
    assert (job["status"], job["job_status"], job["job_name"]) == ("Queued", "Queued", "test")
    assert (job["num_stages"], job["completed_stages"], job["percent_complete"]) == (2, 0, 0)
    assert (job["start_time"], job["end_time"]) == (0, 0)


@pytest.mark.parametrize("case", recorded("sentences"), ids=lambda case: str(case["partitions"]))
def test_a_completed_job_says_what_it_produced(told: Told, submit: Submit, case: dict[str, Any]) -> None:
    id_ = submit({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})["id"]
    ended = timezone.now()
    Job.objects.update(state=JobState.FINISHED, created_at=ended - timedelta(milliseconds=400), ended_at=ended)
    counts = [case["partitions"] if state == TaskState.FINISHED else 0 for state in range(TASK_PLACES)]
    Stage.objects.filter(name="b").update(counts=counts, ended_at=ended)
    assert shown(told, id_)["job_status"] == case["sentence"]


def test_a_job_that_seems_to_end_before_it_began_took_no_time(told: Told, submit: Submit) -> None:
    id_ = submit({"a": {}})["id"]
    now = timezone.now()
    Job.objects.update(state=JobState.FINISHED, created_at=now, ended_at=now - timedelta(seconds=1))
    assert shown(told, id_)["job_status"].endswith("Elapsed time: 0 ms.")


def test_a_job_tells_how_far_it_is(told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed) -> None:
    id_ = submit({"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}})["id"]
    stage = Stage.objects.get(name="a").id
    turn(leader, agent.finish([task for task in placed() if task[0] == stage]))
    job = shown(told, id_)
    assert (job["status"], job["completed_stages"], job["percent_complete"]) == ("Running", 1, 33)
    assert abs(job["start_time"] - Job.objects.get().created_at.timestamp() * 1000) <= 1
    assert job["end_time"] == 0


def test_no_task_begins_before_its_job_or_ends_after_it(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    id_ = submit({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})["id"]
    while tasks := placed():
        # One report tells at once that they began, some time ago, and that they ended.
        turn(leader, agent.finish(tasks))
    job = shown(told, id_)
    for stage in told("/api/job/{id}/stages", id=id_)["stages"]:
        for task in stage["tasks"]:
            assert job["start_time"] <= task["start_exec_time"] <= task["end_exec_time"] <= job["end_time"]


def test_a_job_whose_stage_failed_names_it(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    id_ = submit({"a": {}, "b": {"needs": ["a"]}})["id"]
    stage = Stage.objects.get(name="a").id
    turn(leader, agent.finish([task for task in placed() if task[0] == stage]))
    turn(leader, agent.fail(placed(), error="ValueError: no"))
    job = shown(told, id_)
    sentence = "Failed: Job failed due to stage 2 failed: task 0 of stage b failed: ValueError: no\n"
    assert (job["status"], job["job_status"], job["completed_stages"]) == ("Failed", sentence, 1)
    assert job["end_time"] >= job["start_time"] > 0


def test_a_job_that_failed_otherwise_names_no_stage(told: Told, submit: Submit, leader: Leader) -> None:
    id_ = submit({"a": {}}, timeouts={"queue": 5})["id"]
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    leader.tick()
    turn(leader)
    assert shown(told, id_)["job_status"] == "Failed: the job waited longer than its queue timeout"


@pytest.mark.parametrize("case", CANCELS)
def test_a_cancel_is_answered_by_either_spelling(told: Told, operator: Client, submit: Submit, case: str) -> None:
    id_ = submit({"a": {}})["id"]
    Job.objects.update(state=CANCELS[case])
    answer = operator.patch(f"/api/job/{id_}", b'{"ignored": [', content_type="application/json")
    assert [answer.status_code, answer.json()] == recorded("cancel")[case]
    if case == "cancelled":
        assert shown(told, id_)["job_status"] == "Failed: Cancelled"


def test_a_job_is_found_by_its_number_too(told: Told, submit: Submit) -> None:
    job = submit({"a": {}})
    assert told("/api/job/{id}", id=str(job["number"]))["job_id"] == job["id"]


def test_what_is_unknown_is_told_by_the_recorded_object(viewer: Client) -> None:
    known = recorded("errors")["unknown"]
    for path in ("/api/job/x", "/api/executor/x", "/api/jobs/", "/api/x", "/api/", "/api/job/x/stages/1"):
        answer = viewer.get(path)
        assert answer.status_code == 404
        assert answer.json() == known


@pytest.mark.parametrize("query", ["?plan_format=", "?plan_format=Tree", "?plan_format=x&y=1"])
@pytest.mark.parametrize("path", ["", "/stages"])
def test_an_unknown_format_of_plans_is_refused_in_plain_text(viewer: Client, submit: Submit, path: str, query: str) -> None:
    answer = viewer.get(f"/api/job/{submit({'a': {}})['id']}{path}{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert b"plan_format" in answer.content


def test_plans_are_written_in_three_formats(told: Told, submit: Submit) -> None:
    id_ = submit({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})["id"]
    job = told("/api/job/{id}", id=id_)
    assert job["logical_plan"] == (
        "a: bench.callables:square, 2 partitions\nb: bench.callables:square, 1 partitions, reads a (all)\n"
    )
    assert job["physical_plan"] == (
        "Stage 1: a\nShuffleWriter: partitions=2\n  PythonExec: bench.callables:square\n"
        "Stage 2: b\nShuffleWriter: partitions=1\n  PythonExec: bench.callables:square\n"
        "    ShuffleReader: stage=1, partitions=2\n"
    )
    assert job["stage_plan"] == "Stage 1 [Resolved]: a, 0 of 2 partitions\nStage 2 [Unresolved]: b, 0 of 1 partitions\n"
    tree = told("/api/job/{id}", "?plan_format=tree", id=id_)["physical_plan"]
    assert "ShuffleWriter: partitions=1\n└── PythonExec: bench.callables:square\n    └── ShuffleReader: stage=1" in tree


def test_settings_are_texts_sorted_by_name(told: Told, submit: Submit) -> None:
    id_ = submit({"a": {}}, config={"z": "last", "a": {"b": [1, None]}}, priority=7, pool="fast")["id"]
    config = told("/api/job/{id}/config", id=id_)
    assert list(config) == sorted(config)
    assert config["z"] == "last"
    assert config["a"] == '{"b": [1, null]}'
    assert config["switchyard.job.priority"] == "7"
    assert config["switchyard.job.pool"] == "fast"
