"""Retries with edits: exactly the unfinished tasks run, and what stands says where it was made."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from access.roles import Role
from artifacts.storage import Storage
from jobs.checks.invariants import violations
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.holding import put
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

pytestmark = pytest.mark.django_db
Submit = Callable[..., Job]
Fail = Callable[..., Job]


@pytest.fixture
def operator() -> Client:
    return Client(headers=as_(Role.OPERATOR))


@pytest.fixture
def failed(leader: Leader, agent: ListAgent, job: Submit) -> Fail:
    """Make a job of which these tasks of stage `load`, which has four, fail; the others give 1."""

    def make(*failing: int, **stages: Any) -> Job:
        made = job({"load": {"parallelism": 4}} | stages, max_failures=0)
        end(leader, agent, failing)
        made.refresh_from_db()
        assert made.state == JobState.FAILED
        return made

    return make


def end(leader: Leader, agent: ListAgent, failing: tuple[int, ...]) -> None:
    # Tasks of later stages may stand on the list already.
    listed = begun(leader, agent)
    tasks = [task for task in listed if task[0] == listed[0][0]]
    turn(leader, agent.finish([task for task in tasks if task[2] not in failing], "1"))
    turn(leader, agent.fail([task for task in tasks if task[2] in failing]))
    turn(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))


def begun(leader: Leader, agent: ListAgent) -> list[tuple[int, int, int]]:
    turn(leader)
    agent.listen()
    return agent.tasks()


def retry(client: Client, job: Any, body: Any = None, query: str = "", **headers: str) -> Any:
    text = json.dumps({} if body is None else body)
    return client.post(f"/api/v1/jobs/{job}/retry{query}", text, content_type="application/json", headers=headers)


def stages(answer: Any) -> dict[str, tuple[int | None, int, list[str]]]:
    return {stage["name"]: (stage["parallelism"], stage["reused"], stage["rerun"]) for stage in answer.json()["stages"]}


def finished(number: int, stage: str = "load") -> list[int]:
    found = Task.objects.filter(stage__job__number=number, stage__name=stage, state=TaskState.FINISHED)
    return sorted(found.values_list("index", flat=True))


def test_other_resources_keep_what_finished(leader: Leader, agent: ListAgent, failed: Fail, operator: Client) -> None:
    old = failed(2, merge={"needs": ["load"]})
    edit = {"set": {"stages.load.resources.mem": "64MiB", "retry.attempts": 2}}
    preview = retry(operator, old.number, edit, "?dry_run=true")
    assert (preview.status_code, Job.objects.count()) == (200, 1)
    answer = retry(operator, old.number, edit)
    assert answer.status_code == 201
    assert stages(preview) == stages(answer) == {"load": (4, 3, []), "merge": (1, 0, [])}
    shown = answer.json()
    assert (shown["retried_from"], shown["retried_from_number"]) == (str(old.id), old.number)
    assert finished(shown["number"]) == [0, 1, 3]
    assert Stage.objects.get(job_id=shown["id"], name="load").demand["mem"] == 64
    links = operator.get(f"/api/v1/jobs/{old.number}").json()["retries"]
    assert [(link["number"], link["id"]) for link in links] == [(shown["number"], shown["id"])]
    assert violations() == []


def test_only_what_is_unfinished_is_placed(leader: Leader, agent: ListAgent, failed: Fail, operator: Client) -> None:
    old = failed(2)
    retry(operator, old.number, {"set": {"stages.load.timeout": 60}})
    assert [index for _, _, index in begun(leader, agent)] == [2]


def test_other_work_runs_again_with_what_reads_it(failed: Fail, operator: Client) -> None:
    old = failed(2, clean={"parallelism": 4, "needs": [{"stage": "load", "exchange": "pointwise"}]})
    answer = retry(operator, old.number, {"set": {"stages.load.kwargs.rate": 7}})
    assert stages(answer) == {"load": (4, 0, ["changed: kwargs"]), "clean": (4, 0, [])}
    assert finished(answer.json()["number"]) == []
    told = operator.get(f"/api/v1/events?job={answer.json()['id']}").json()["results"]
    why = f"The job is a retry of job {old.number}. Of 8 tasks, 0 are reused. Stage load runs again: changed: kwargs."
    assert why in [event["text"] for event in told]


def test_a_whole_description_keeps_the_stages_that_it_leaves_as_they_are(failed: Fail, operator: Client) -> None:
    old = failed(2)
    shown = operator.get(f"/api/v1/jobs/{old.number}").json()
    described = [operator.get(f"/api/v1/jobs/{old.number}/stages/load").json()["spec"], {"name": "more", "command": ["true"]}]
    answer = retry(operator, old.number, {"description": shown["spec"] | {"stages": described, "name": "other"}})
    assert stages(answer) == {"load": (4, 3, []), "more": (1, 0, ["it is new"])}
    assert answer.json()["name"] == "other"


def test_a_reused_task_leads_to_the_attempt_that_made_its_result_over_several_retries(
    leader: Leader, agent: ListAgent, failed: Fail, operator: Client
) -> None:
    old = failed(2, 3)
    first = retry(operator, old.number).json()
    end(leader, agent, (3,))
    second = retry(operator, first["number"]).json()
    assert [stage["reused"] for stage in second["stages"]] == [3]
    path = f"/api/v1/jobs/{second['number']}/stages/load/tasks"
    origins = [operator.get(f"{path}/{index}").json()["reused_from"] for index in range(4)]
    made = [origin and (origin["job"], origin["stage"], origin["index"], origin["attempt"]) for origin in origins]
    assert made == [(old.number, "load", 0, 0), (old.number, "load", 1, 0), (first["number"], "load", 2, 0), None]
    assert [task["reused"] for task in operator.get(path).json()["results"]] == [True, True, True, False]
    assert operator.delete(f"/api/v1/jobs/{old.number}").status_code == 204
    origin = operator.get(f"{path}/0").json()["reused_from"]
    assert (origin["job"], origin["attempt"]) == (old.number, None)


def test_a_task_whose_result_is_gone_runs_again_and_says_so(failed: Fail, operator: Client, kept: Storage) -> None:
    old = failed(2)
    digests = [hashlib.sha256(text).hexdigest() for text in (b"1", b"2")]
    put(b"1")
    for index, digest in zip((0, 1), digests, strict=True):
        Task.objects.filter(stage__job=old, index=index).update(result=None, result_digest=digest)
    answer = retry(operator, old.number)
    assert stages(answer) == {"load": (4, 2, ["a result is not stored any more"])}
    assert finished(answer.json()["number"]) == [0, 3]


def test_items_are_made_again_where_making_them_failed(
    leader: Leader, agent: ListAgent, job: Submit, operator: Client, settings: Settings
) -> None:
    settings.DESCRIPTION_LIMITS = {"tasks": 3}
    made = job({"list": {}, "each": {"foreach": {"from": "list"}}})
    begun(leader, agent)
    turn(leader, agent.finish(agent.tasks(), "[1, 2, 3]"))
    turn(leader)
    made.refresh_from_db()
    assert (made.state, "at most 3 are allowed" in made.error) == (JobState.FAILED, True)
    settings.DESCRIPTION_LIMITS = {"tasks": 4}
    assert stages(retry(operator, made.number, query="?dry_run=1")) == {"list": (1, 1, []), "each": (None, 0, [])}
    answer = retry(operator, made.number)
    assert stages(answer) == {"list": (1, 1, []), "each": (3, 0, [])}
    turn(leader, agent.finish(begun(leader, agent), "1"))
    turn(leader)
    assert Job.objects.get(number=answer.json()["number"]).state == JobState.FINISHED
    assert violations() == []


def test_a_canceled_job_goes_on_with_another_timeout(leader: Leader, agent: ListAgent, job: Submit, operator: Client) -> None:
    made = job({"load": {"parallelism": 4}})
    turn(leader, agent.finish(begun(leader, agent)[:2], "1"))
    operator.post(f"/api/v1/jobs/{made.number}/cancel")
    turn(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    answer = retry(operator, made.number, {"set": {"stages.load.timeout": 60}})
    assert (answer.status_code, stages(answer)["load"][1]) == (201, 2)


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"set": {"stages.lod.timeout": 5}}, "stages.lod.timeout"),
        ({"set": {"stages.load.resources.mem": "8GB"}}, "stages.load.resources"),
        ({"set": []}, "set"),
        ({"sets": {}}, "sets"),
        ({"description": {"name": "x"}}, "stages"),
        ([], None),
    ],
)
def test_what_cannot_be_edited_is_refused_by_its_path(failed: Fail, operator: Client, body: Any, attr: str | None) -> None:
    old = failed(2)
    for query in ("", "?dry_run=true"):
        answer = retry(operator, old.number, body, query)
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, attr)
    assert Job.objects.count() == 1


def test_a_key_that_came_with_another_edit_is_refused(failed: Fail, operator: Client) -> None:
    old = failed(2)
    answers = [retry(operator, old.number, {"set": {"priority": n}}, **{"Idempotency-Key": "k"}) for n in (5, 5, 6)]
    assert [answer.status_code for answer in answers] == [201, 200, 422]


def test_reused_tasks_need_no_room_in_a_quota(failed: Fail, operator: Client, settings: Settings) -> None:
    old = failed(2)
    settings.QUOTA_TASKS = 1
    assert retry(operator, old.number, query="?dry_run=true").status_code == 200
    assert retry(operator, old.number).status_code == 201
    assert retry(operator, old.number, query="?dry_run=true").status_code == 403
