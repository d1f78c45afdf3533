"""Checkpoints: what Flink's clients are told of those in progress, completed, failed and discarded, and without any."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from jobs.models import Checkpoint, Job
from tests.jobs.agents import ListAgent
from tests.jobs.checkpointing import answer, ask, end
from tests.wires.flink.conftest import BROWSER

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]


def checkpointed(running: Ids, agent: ListAgent, *, answering: int = 2, failure: str = "", open_: bool = False) -> Checkpoint:
    """Let the running job have a checkpoint that so many of its two tasks answer, and end it unless it is to be open."""
    stage = int(running["v0"], 16)
    tasks = [(stage, 0, 0), (stage, 0, 1)]
    made = ask(Job.objects.get(id=UUID(running["job"])), tasks)
    if answering:
        answer(agent, made, tasks[:answering])
    if not open_:
        end(made, failure)
    return made


def test_they_are_counted_and_summed_up_newest_first(told: Told, running: Ids, agent: ListAgent) -> None:
    path = f"/jobs/{running['job']}/checkpoints"
    assert told(path)["latest"] == {"completed": None, "savepoint": None, "failed": None, "restored": None}
    for _ in range(3):
        checkpointed(running, agent)
    checkpointed(running, agent, failure="2 tasks have not answered within 2 s", answering=1)
    checkpointed(running, agent, answering=1, open_=True)
    found = told(path)
    assert found["counts"] == {"restored": 0, "total": 5, "in_progress": 1, "completed": 3, "failed": 1}
    assert found["summary"]["state_size"] == {"min": 20, "max": 20, "avg": 20}
    assert [each["id"] for each in found["history"]] == [5, 4, 3, 2, 1]
    assert [each["@class"] for each in found["history"]] == ["in_progress", "failed", *["completed"] * 3]
    assert [each.get("discarded") for each in found["history"]] == [None, None, False, False, True]
    assert (found["latest"]["completed"], found["latest"]["failed"]) == (found["history"][2], found["history"][1])
    opened, failed, completed = found["history"][:3]
    assert (opened["num_acknowledged_subtasks"], opened["state_size"]) == (1, 10)
    assert (opened["end_to_end_duration"], opened["latest_ack_timestamp"]) > (-1, 0)
    assert failed["failure_message"] == "2 tasks have not answered within 2 s"
    assert failed["failure_timestamp"] >= failed["trigger_timestamp"]
    assert (completed["num_subtasks"], completed["num_acknowledged_subtasks"], completed["tasks"]) == (2, 2, {})


def test_a_history_shows_the_last_ten(told: Told, running: Ids, agent: ListAgent) -> None:
    checkpointed(running, agent)
    for _ in range(10):
        checkpointed(running, agent, answering=0, failure="no")
    found = told(f"/jobs/{running['job']}/checkpoints")
    assert [each["id"] for each in found["history"]] == list(range(11, 1, -1))
    assert found["latest"]["completed"]["id"] == 1


def test_one_is_told_by_vertex_and_by_subtask(told: Told, running: Ids, agent: ListAgent) -> None:
    checkpointed(running, agent, answering=1, open_=True)
    path = f"/jobs/{running['job']}/checkpoints/details/1"
    whole, vertex = told(path), told(f"{path}/subtasks/{running['v0']}")
    assert set(whole["tasks"]) == {running["v0"]}
    assert whole["tasks"][running["v0"]] == {name: vertex[name] for name in whole["tasks"][running["v0"]]}
    assert (vertex["num_subtasks"], vertex["num_acknowledged_subtasks"], vertex["state_size"]) == (2, 1, 10)
    assert vertex["summary"]["state_size"] == {"min": 10, "max": 10, "avg": 10}
    assert vertex["summary"]["checkpoint_duration"] == {
        kind: {"min": ms, "max": ms, "avg": ms} for kind, ms in (("sync", 2), ("async", 3))
    }
    first, second = vertex["subtasks"]
    assert (first["status"], first["state_size"], first["checkpoint"]) == ("completed", 10, {"sync": 2, "async": 3})
    assert second == {"@class": "pending", "index": 1, "status": "pending_or_failed"}


def test_a_task_that_had_finished_counts_with_its_result(told: Told, running: Ids, agent: ListAgent) -> None:
    checkpointed(running, agent, answering=1)
    found = told(f"/jobs/{running['job']}/checkpoints/details/1/subtasks/{running['v0']}")
    assert found["num_acknowledged_subtasks"] == 2
    assert [(each["status"], each["state_size"]) for each in found["subtasks"]] == [("completed", 10), ("completed", 0)]


def test_the_tasks_of_a_discarded_one_are_not_told(told: Told, running: Ids, agent: ListAgent) -> None:
    checkpointed(running, agent, answering=1, failure="no")
    path = f"/jobs/{running['job']}/checkpoints/details/1"
    assert (told(path)["num_acknowledged_subtasks"], told(path)["latest_ack_timestamp"]) == (1, -1)
    found = told(f"{path}/subtasks/{running['v0']}")
    assert (found["status"], found["num_subtasks"], found["subtasks"]) == ("FAILED", 2, [])


def test_settings_are_those_of_the_description(told: Told, running: Ids, submit: Callable[..., dict[str, Any]]) -> None:
    path = f"/jobs/{running['job']}/checkpoints/config"
    told_of = {"mode": "exactly_once", "interval": 2000, "timeout": 600000, "min_pause": 0, "max_concurrent": 1}
    assert told(path) == told_of | {"externalization": {"enabled": False, "delete_on_cancellation": True}}
    kept = submit({"a": {}}, checkpoint={"interval": 1.5, "mode": "at_least_once", "retain_on_cancel": True})["id"]
    found = told(f"/jobs/{kept}/checkpoints/config")
    assert (found["interval"], found["mode"]) == (1500, "at_least_once")
    assert found["externalization"] == {"enabled": True, "delete_on_cancellation": False}


@pytest.mark.parametrize("rest", ["", "/config", "/details/1", "/details/1/subtasks/" + "0" * 32])
def test_a_job_without_says_that_it_has_none(told: Told, submit: Callable[..., dict[str, Any]], rest: str) -> None:
    job = submit({"a": {}})["id"]
    assert told(f"/jobs/{job}/checkpoints{rest}", 404) == {"errors": ["Checkpointing has not been enabled."]}


def test_those_that_people_asked_for_are_shown_without_a_rule_too(told: Told, submit: Callable[..., dict[str, Any]]) -> None:
    job = submit({"a": {}})["id"]
    ask(Job.objects.get(id=job), [])
    assert told(f"/jobs/{job}/checkpoints")["counts"]["total"] == 1
    assert told(f"/jobs/{job}/checkpoints/details/1")["tasks"] == {}
    told(f"/jobs/{job}/checkpoints/config", 404)


def test_an_unknown_one_is_named(told: Told, running: Ids, agent: ListAgent) -> None:
    path = f"/jobs/{running['job']}/checkpoints/details"
    (text,) = told(f"{path}/99999", 404)["errors"]
    assert text == "Could not find checkpointing statistics for checkpoint 99999."
    checkpointed(running, agent)
    told(f"{path}/1/subtasks/{'0' * 32}", 404)


def test_browsers_are_told_the_kind_by_the_key_of_later_releases(viewer: Client, running: Ids, agent: ListAgent) -> None:
    checkpointed(running, agent, answering=1)
    for rest in ("", "/details/1", f"/details/1/subtasks/{running['v0']}"):
        path = f"/jobs/{running['job']}/checkpoints{rest}"
        assert b"className" not in viewer.get(path).content
        assert b'"className":"completed"' in viewer.get(path, headers={"User-Agent": BROWSER}).content.replace(b" ", b"")


def test_metrics_of_jobs_count_them(told: Told, running: Ids, agent: ListAgent) -> None:
    names = [f"numberOf{kind}Checkpoints" for kind in ("Completed", "Failed", "InProgress")]
    names += ["totalNumberOfCheckpoints", "lastCheckpointSize"]
    one, many = (f"/jobs/{of}metrics?get={','.join(names)}" for of in (running["job"] + "/", ""))
    assert [each["value"] for each in told(one)] == ["0"] * 5
    checkpointed(running, agent)
    checkpointed(running, agent, failure="no")
    checkpointed(running, agent, open_=True)
    assert [each["value"] for each in told(one)] == ["1", "1", "1", "3", "20"]
    assert [each["sum"] for each in told(f"{many}&agg=sum")] == [1, 1, 1, 3, 20]
    assert [each["sum"] for each in told(f"{many}&agg=sum&jobs={running['job']}")] == [1, 1, 1, 3, 20]
    duration = told(f"/jobs/{running['job']}/metrics?get=lastCheckpointDuration,lastCheckpointExternalPath")
    assert int(duration[0]["value"]) >= 0
    assert duration[1]["value"] == "<checkpoint-not-externally-addressable>"


def test_one_is_asked_for_and_polled(operator: Client, viewer: Client, told: Told, running: Ids) -> None:
    path = f"/jobs/{running['job']}/checkpoints"
    assert viewer.post(path).status_code == 403
    unread = operator.post(path, b'{"type": "FULL"}', content_type="application/json")
    assert (unread.status_code, "CheckpointTriggerRequestBody" in unread.json()["errors"][0]) == (400, True)
    answered = operator.post(f"{path}/", b'{"checkpointType": "FULL"}', content_type="application/json")
    assert (answered.status_code, list(answered.json())) == (202, ["request-id"])
    trigger = f"{path}/{answered.json()['request-id']}"
    assert told(trigger) == {"status": {"id": "IN_PROGRESS"}, "operation": None}
    made = Checkpoint.objects.get()
    end(made)
    assert told(trigger) == {"status": {"id": "COMPLETED"}, "operation": {"checkpointId": 1}}
    second = operator.post(path, b"", content_type="application/json")
    end(Checkpoint.objects.get(number=2), "task 0 of a ended before it had answered")
    failed = told(f"{path}/{second.json()['request-id']}")
    assert "task 0 of a ended before it had answered" in failed["operation"]["failureCause"]["stack-trace"]
    assert viewer.get(f"{path}/{'0' * 32}").status_code == 404
    assert operator.patch(f"/jobs/{running['job']}").status_code == 202
    assert operator.post(path, b"", content_type="application/json").status_code == 409
