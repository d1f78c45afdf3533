"""What people do to jobs over the API, and what is shown of jobs that ran."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from access.models import AuditEntry
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., dict[str, Any]]


def run(leader: Leader, agent: ListAgent, *, result: str = "7") -> None:
    """Let every task that is placed finish, until none is left."""
    turn(leader)
    while True:
        agent.listen()
        tasks = agent.tasks()
        if not tasks:
            return
        turn(leader, agent.finish(tasks, result))


def read(answer: Any) -> Any:
    return json.loads(b"".join(answer.streaming_content) if answer.streaming else answer.content)


def test_live_job_is_canceled_and_not_deleted(operator: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    assert operator.delete(path).status_code == 409
    answer = operator.post(f"{path}/cancel")
    assert answer.status_code == 202
    assert answer.json()["state"] == "CANCELING"
    turn(leader)
    assert operator.get(path).json()["state"] == "CANCELED"
    assert operator.post(f"{path}/cancel").status_code == 200
    assert operator.delete(path).status_code == 204
    assert operator.get(path).status_code == 404


def test_live_job_drains_and_ends_finished(operator: Client, viewer: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    assert job["draining"] is False
    assert viewer.post(f"{path}/drain").status_code == 403
    for _ in range(2):
        answer = operator.post(f"{path}/drain")
        assert (answer.status_code, answer.json()["draining"]) == (202, True)
    turn(leader)
    shown = operator.get(f"{path}/summary").json()
    assert (shown["state"], shown["draining"]) == ("FINISHED", True)
    assert operator.post(f"{path}/drain").status_code == 200


def test_live_job_is_suspended_and_resumed(operator: Client, viewer: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    assert job["suspended"] is None
    assert viewer.post(f"{path}/suspend").status_code == viewer.post(f"{path}/resume").status_code == 403
    for reason in ("for the night", "again"):
        answer = operator.post(f"{path}/suspend", {"reason": reason}, content_type="application/json")
        assert (answer.status_code, answer.json()["state"]) == (202, "SUSPENDING")
    turn(leader)
    shown = operator.get(f"{path}/summary").json()
    assert (shown["state"], shown["intent"]) == ("SUSPENDED", "SUSPEND")
    assert (shown["suspended"]["by"], shown["suspended"]["reason"]) == ("operator", "for the night")
    (reason,) = operator.get(f"{path}/explain").json()["stages"][0]["reasons"][:1]
    assert reason.startswith("The job is suspended by operator since ")
    assert reason.endswith(" UTC: for the night.")
    for _ in range(2):
        answer = operator.post(f"{path}/resume", content_type="application/json")
        assert (answer.status_code, answer.json()["state"], answer.json()["suspended"]) == (202, "CREATED", None)
    entries = AuditEntry.objects.order_by("id").values_list("action", "details")
    assert list(entries)[1:] == [("job.suspend", {"reason": "for the night"}), ("job.resume", {})]


def test_job_that_drains_or_stops_is_not_suspended(operator: Client, submit: Submit) -> None:
    for first in ("drain", "cancel"):
        path = f"/api/v1/jobs/{submit({'a': {}})['id']}"
        operator.post(f"{path}/{first}")
        answer = operator.post(f"{path}/suspend", content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "conflict")


def test_job_that_is_being_canceled_does_not_drain(
    operator: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    path = f"/api/v1/jobs/{submit({'a': {}})['id']}"
    turn(leader)
    operator.post(f"{path}/cancel")
    answer = operator.post(f"{path}/drain")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "conflict")


def test_canceled_job_is_retried_as_a_new_one(operator: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    assert operator.post(f"{path}/retry").status_code == 409
    operator.post(f"{path}/cancel")
    turn(leader)
    answer = operator.post(f"{path}/retry")
    assert answer.status_code == 201
    assert answer.json()["retried_from"] == job["id"]
    assert answer["Location"].endswith(answer.json()["id"])


def test_each_change_leaves_one_row_in_the_audit(operator: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    operator.post(f"{path}/cancel")
    operator.post(f"{path}/retry")
    told = list(AuditEntry.objects.order_by("id").values_list("user_name", "via", "action", "target"))
    assert told == [("operator", "token", f"job.{did}", job["id"]) for did in ("submit", "cancel")]


def test_results_of_the_last_stages_are_told_when_complete(
    viewer: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    job = submit({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})
    path = f"/api/v1/jobs/{job['id']}"
    assert read(viewer.get(f"{path}/results")) == {"complete": False, "results": {"b": [None]}}
    run(leader, agent)
    assert read(viewer.get(f"{path}/results")) == {"complete": True, "results": {"b": [7]}}
    assert read(viewer.get(f"{path}/stages/a/results")) == {"complete": True, "results": [7, 7, 7]}
    assert read(viewer.get(f"{path}/stages/a/tasks/2/result")) == 7
    assert viewer.get(path).json()["progress"] == 1.0


def test_result_of_a_task_that_has_not_ended_is_not_found(viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    assert viewer.get(f"/api/v1/jobs/{job['id']}/stages/a/tasks/0/result").status_code == 404


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("jobs/999999", "There is no job 999999."),
        ("jobs/999999/cancel", "There is no job 999999."),
        ("jobs/1/stages/b", "The job has no stage b."),
        ("jobs/1/stages/b/results", "The job has no stage b."),
        ("jobs/1/stages/a/tasks/7", "The stage has no task 7."),
        ("jobs/1/stages/a/tasks/7/result", "The stage has no task 7."),
        ("jobs/1/stages/a/tasks/0/result", "The task is CREATED and has no result."),
        ("jobs/1/stages/a/tasks/0/logs/stdout?attempt=3", "Task 0 has no attempt 3."),
        ("job-types/no:1", "There is no job type no:1."),
        ("nodes/nowhere", "There is no node nowhere."),
    ],
)
def test_what_is_missing_is_named(operator: Client, submit: Submit, path: str, said: str) -> None:
    number = submit({"a": {}})["number"]
    asked = f"/api/v1/{path.replace('jobs/1/', f'jobs/{number}/')}"
    answer = operator.post(asked) if path.endswith("cancel") else operator.get(asked)
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (404, said)


def test_tasks_are_listed_by_stage_and_index_page_by_page(
    viewer: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    job = submit({"a": {"parallelism": 3}, "b": {"needs": ["a"], "parallelism": 2}})
    run(leader, agent)
    path = f"/api/v1/jobs/{job['id']}/tasks?limit=2"
    found = []
    while path:
        page = viewer.get(path).json()
        found += page["results"]
        path = page["next"]
    assert [(task["stage"], task["index"]) for task in found] == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert {(task["state"], task["node"]) for task in found} == {("FINISHED", "n1")}


def test_running_tasks_tell_their_progress_and_metrics(viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    Task.objects.update(metrics={"progress": 0.5, "loss": 2}, accumulators={"rows": 3})
    path = f"/api/v1/jobs/{job['id']}/tasks"
    (listed,) = viewer.get(path).json()["results"]
    shown = viewer.get(f"/api/v1/jobs/{job['id']}/stages/a/tasks/0").json()
    for task in (listed, shown):
        told = (task["progress"], task["metrics"], task["accumulators"])
        assert told == (0.5, {"progress": 0.5, "loss": 2}, {"rows": 3})


def test_tasks_are_narrowed_by_stage_and_state(viewer: Client, submit: Submit) -> None:
    job = submit({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})
    Task.objects.filter(stage__name="a", index=1).update(state=3)
    path = f"/api/v1/jobs/{job['id']}"
    found = viewer.get(f"{path}/tasks?stage=a&state=RUNNING&state=FAILED").json()["results"]
    assert [task["index"] for task in found] == [1]
    assert len(viewer.get(f"{path}/stages/a/tasks").json()["results"]) == 3
    assert viewer.get(f"{path}/tasks?state=LOST").status_code == 400
    assert viewer.get(f"{path}/tasks?cursor=nonsense").status_code == 400
    assert viewer.get(f"{path}/tasks?limit=0").status_code == 400


def test_task_tells_all_its_attempts(viewer: Client, submit: Submit, leader: Leader, agent: ListAgent) -> None:
    job = submit({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks(), error="no luck", exit_code=3))
    turn(leader)
    run(leader, agent)
    shown = viewer.get(f"/api/v1/jobs/{job['id']}/stages/a/tasks/0").json()
    told = [(each["attempt"], each["state"], each["error"], each["exit_code"]) for each in shown["attempts"]]
    assert told == [(0, "FAILED", "no luck", 3), (1, "FINISHED", None, None)]
    assert (shown["result"], shown["failures"]) == (7, 1)


@pytest.mark.parametrize("rest", ["stages/c", "stages/c/tasks", "stages/a/tasks/9", "stages/a/tasks/99999999999"])
def test_unknown_part_of_a_job_is_not_found(viewer: Client, submit: Submit, rest: str) -> None:
    job = submit({"a": {}})
    assert viewer.get(f"/api/v1/jobs/{job['id']}/{rest}").status_code == 404


def test_explain_counts_no_job_ahead_that_no_node_could_run(
    operator: Client, viewer: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    operator.post(f"/api/v1/nodes/{agent.name}/pause", {}, content_type="application/json")
    infeasible = submit({"a": {"resources": {"licenses": 5}}})
    jobs = [submit({"a": {}}) for _ in range(3)]
    turn(leader)
    assert viewer.get(f"/api/v1/jobs/{infeasible['id']}").json()["infeasible"]
    told = viewer.get(f"/api/v1/jobs/{jobs[-1]['id']}/explain").json()
    assert told["stages"][0]["reasons"][-1] == "2 jobs of its pool are served before it."


def test_explain_says_what_a_stage_waits_for(viewer: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}, "b": {"needs": ["a"]}})
    told = viewer.get(f"/api/v1/jobs/{job['id']}/explain").json()
    reasons = {stage["stage"]: " ".join(stage["reasons"]) for stage in told["stages"]}
    assert set(reasons) == {"a", "b"}
    assert "needs the results of stage a" in reasons["b"]


def test_graph_is_told_as_dot_and_drawn_as_svg(viewer: Client, submit: Submit) -> None:
    job = submit({"first": {}, "second": {"needs": ["first"]}})
    dot = viewer.get(f"/api/v1/jobs/{job['id']}/dag.dot")
    svg = viewer.get(f"/api/v1/jobs/{job['id']}/dag.svg")
    assert b"first" in dot.content
    assert svg["Content-Type"] == "image/svg+xml"
    assert b"second" in svg.content


def test_a_held_job_is_released(operator: Client, viewer: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    path = f"/api/v1/jobs/{job['id']}"
    Job.objects.update(held_reason="odd")
    assert viewer.post(f"{path}/release").status_code == 403
    answer = operator.post(f"{path}/release")
    assert (answer.status_code, answer.json()["held_reason"]) == (202, "")
    assert AuditEntry.objects.filter(action="job.release").count() == 1
