"""Functions of programs over the API: an operation that ends with a plan or with a job, once, or with what was wrong."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from access.models import AuditEntry
from access.roles import Role
from jobs.commands import planning
from jobs.leader.loop import Leader
from jobs.models import Job, Operation
from tests.jobs.agents import ListAgent, turn
from tests.people import user_in
from tests.programs.archives import zipped

JSON = "application/json"
MADE = {"name": "made", "stages": [{"name": "only", "command": ["true"]}]}
MANIFEST = "jobs: {built: {description: By code, entry: 'jobs:build'}}"

Answer = dict[str, Any]


@pytest.fixture
def program(operator: Client) -> str:
    data = zipped({"switchyard.yaml": MANIFEST, "jobs.py": ""})
    answer = operator.post("/api/v1/programs", {"file": SimpleUploadedFile("a.zip", data)})
    assert answer.status_code == 201, answer.content
    assert answer.json()["entries"] == [{"name": "built", "description": "By code", "function": "jobs:build"}]
    return "/api/v1/programs/a.zip"


@pytest.fixture
def ask(program: str, operator: Client) -> Callable[..., Answer]:
    def asked(what: str = "run", code: int = 202, key: str | None = None, **call: Any) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        answer = operator.post(f"{program}/{what}", {"entry": "jobs:build", **call}, content_type=JSON, headers=headers)
        assert answer.status_code == code, answer.content
        told: Answer = answer.json()
        return told

    return asked


def call(leader: Leader, agent: ListAgent, result: object = MADE) -> None:
    """Have the agent call the function, and the leader end the operation."""
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), json.dumps(result)))
    end(leader)


def end(leader: Leader) -> None:
    leader.planner.step()
    leader.planner.wait()


def operation(client: Client, asked: Answer) -> Answer:
    told: Answer = client.get(f"/api/v1/operations/{asked['id']}").json()
    return told


def test_a_run_ends_with_the_job_of_who_asked(
    ask: Callable[..., Answer], operator: Client, leader: Leader, agent: ListAgent
) -> None:
    asked = ask(arguments=["a", "b"], parallelism=3)
    assert (asked["kind"], asked["state"], asked["arguments"]["entry"]) == ("run", "IN_PROGRESS", "jobs:build")
    turn(leader)
    agent.listen()
    stage = Job.objects.get().stages.get()
    assert (stage.demand, stage.spec["timeout"]) == ({"cpus": 1000, "mem": 1024}, 60)
    assert (stage.spec["python"], stage.given["args"][:3]) == (planning.CALLED, ["jobs:build", ["a", "b"], 3])
    turn(leader, agent.finish(agent.tasks(), json.dumps(MADE)))
    end(leader)
    done = operation(operator, asked)
    job = Job.objects.get(name="made")
    assert (done["failure"], done["outcome"]) == (None, {"job": job.number, "id": str(job.id)})
    assert job.owner == user_in(Role.OPERATOR)
    assert job.stages.get().spec["program"]["name"] == "a.zip"
    assert AuditEntry.objects.get(action="job.submit", target=str(job.id)).via == "operation"


def test_a_plan_ends_with_the_description(
    ask: Callable[..., Answer], operator: Client, leader: Leader, agent: ListAgent
) -> None:
    asked = ask("plan", entry="built")
    call(leader, agent)
    done = operation(operator, asked)
    assert done["outcome"]["name"] == "made"
    [stage] = done["outcome"]["description"]["stages"]
    assert stage["command"] == ["true"]
    assert stage["program"]["name"] == "a.zip"
    assert operator.get("/api/v1/operations?kind=plan").json()["results"][0]["outcome"] == {"name": "made"}
    assert Job.objects.count() == 1


def test_what_is_not_described_in_the_archive_is_its_first_entry_point(ask: Callable[..., Answer]) -> None:
    assert ask(entry=None)["arguments"]["entry"] == "jobs:build"


def test_the_same_key_gives_the_same_operation_and_one_job(
    ask: Callable[..., Answer], operator: Client, leader: Leader, agent: ListAgent
) -> None:
    asked = ask(key="k")
    assert ask(key="k") == asked
    call(leader, agent)
    assert ask(key="k") == operation(operator, asked)
    assert "another description" in json.dumps(ask(key="k", code=422, arguments=["other"]))
    ask("plan", key="k", code=422)
    assert Job.objects.filter(name="made").count() == 1


def test_leaders_that_end_an_operation_at_once_make_one_job(
    ask: Callable[..., Answer], leader: Leader, agent: ListAgent
) -> None:
    ask()
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), json.dumps(MADE)))
    [id_] = planning.due()

    def finish(_: int) -> None:
        planning.finish(id_)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(finish, range(4)))
    made = Job.objects.get(name="made")
    assert Operation.objects.get().outcome == {"job": made.number, "id": str(made.id)}


@pytest.mark.parametrize(
    ("result", "name", "text"),
    [
        (None, "BadEntry", "jobs:build returned nothing"),
        ({"name": "made"}, "InvalidSpec", "stages"),
        ({"name": "made", "stages": []}, "InvalidSpec", "stages"),
        ({"name": "made", "stages": "all"}, "InvalidSpec", "stages"),
        (MADE | {"odd": 1}, "InvalidSpec", "odd"),
        (MADE | {"stages": [{"name": "a", "command": ["true"], "parallelism": 2_000_000}]}, "InvalidSpec", "limit 'tasks'"),
    ],
)
@pytest.mark.parametrize("what", ["plan", "run"])
def test_rubbish_ends_the_operation_with_what_is_wrong(
    ask: Callable[..., Answer],
    operator: Client,
    leader: Leader,
    agent: ListAgent,
    what: str,
    result: object,
    name: str,
    text: str,
) -> None:
    asked = ask(what)
    call(leader, agent, result)
    done = operation(operator, asked)
    assert (done["outcome"], done["failure"]["name"]) == (None, name)
    assert text in done["failure"]["text"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("exit_class", "error", "text"),
    [
        ("timeout", "", "jobs:build took longer than 60 s"),
        ("user_error", "Traceback …\nValueError: no", "jobs:build failed (user_error): Traceback …\nValueError: no"),
        ("user_error", "switchyard.programs.errors.BadEntry: no module", "no module"),
    ],
)
def test_a_function_that_fails_ends_the_operation_with_its_error(
    ask: Callable[..., Answer],
    operator: Client,
    leader: Leader,
    agent: ListAgent,
    exit_class: str,
    error: str,
    text: str,
) -> None:
    asked = ask()
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks(), exit_class, error=error))
    turn(leader)
    end(leader)
    failure = operation(operator, asked)["failure"]
    assert failure["name"] == "BadEntry"
    assert text in failure["text"]


def test_who_cancels_the_call_ends_the_operation(ask: Callable[..., Answer], operator: Client, leader: Leader) -> None:
    asked = ask()
    operator.post(f"/api/v1/jobs/{asked['job']}/cancel")
    turn(leader)
    end(leader)
    assert "has described no job" in operation(operator, asked)["failure"]["text"]


def test_a_person_who_may_no_longer_submit_does_not(
    ask: Callable[..., Answer], viewer: Client, leader: Leader, agent: ListAgent
) -> None:
    asked = ask()
    user = user_in(Role.OPERATOR)
    user.is_active = False
    user.save()
    call(leader, agent)
    assert operation(viewer, asked)["failure"]["name"] == "NoLongerAllowed"
    assert not Job.objects.filter(name="made").exists()


def test_quotas_hold_for_what_a_function_describes(
    ask: Callable[..., Answer], operator: Client, leader: Leader, agent: ListAgent, settings: Any
) -> None:
    settings.QUOTA_TASKS = 2
    asked = ask()
    call(leader, agent, MADE | {"stages": [{"name": "a", "command": ["true"], "parallelism": 3}]})
    assert operation(operator, asked)["failure"]["name"] == "OverQuota"


def test_a_viewer_runs_no_code(program: str, viewer: Client) -> None:
    for what in ("plan", "run"):
        answer = viewer.post(f"{program}/{what}", {"entry": "jobs:build"}, content_type=JSON)
        assert answer.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize("entry", ["jobs:", ":build", "jobs:build:x", "../jobs:build", "jobs:bu ild"])
def test_an_odd_name_of_a_function_is_a_400(ask: Callable[..., Answer], entry: str) -> None:
    for what in ("plan", "run"):
        assert "must be written module:function" in json.dumps(ask(what, 400, entry=entry))
    assert not Job.objects.exists()


def test_a_plan_of_a_function_is_not_drawn_by_the_web(program: str, viewer: Client) -> None:
    answer = viewer.get(f"{program}/plan.svg?entry=jobs:build")
    assert (answer.status_code, "is a function" in answer.content.decode()) == (400, True)
