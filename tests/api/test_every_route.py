"""What holds for every route that reads: a page for browsers, and a cost that does not grow with what there is."""

import json
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from access import audit, tokens
from access.identifying import Identity
from access.roles import Role, grant
from jobs.commands import planning, programs
from jobs.leader.loop import Leader
from jobs.models import Job
from nodes.models import Event
from switchyard.scheduling.lifecycle.operations import Kind
from tests.access.routes import Route, routes
from tests.holding import put
from tests.jobs.agents import ListAgent, turn
from tests.jobs.checkpointing import ask
from tests.people import ADA, user_in
from tests.programs.archives import zipped

Submit = Callable[..., dict[str, Any]]
DIGEST = sha256(b"a").hexdigest()
PROGRAM = zipped({"switchyard.yaml": "jobs: {a: {job: {name: a, stages: [{name: s, command: ['true']}]}}}"})
READ = [
    each for each in routes() if each.pattern.startswith("/api/v1") and "GET" in each.methods and "agent" not in each.pattern
]
LISTS = ["jobs", "job-types", "nodes", "events", "operations", "programs", "tokens", "users", "audit"]


@pytest.fixture
def ended(submit: Submit, leader: Leader, agent: ListAgent) -> dict[str, Any]:
    """Give a job that has run, so that each route has something to show."""
    job = submit({"a": {}})
    ask(Job.objects.get(id=job["id"]), [])
    turn(leader)
    agent.listen()
    files = [["out", "a.txt", DIGEST, 1, False]]
    put(b"a")
    turn(leader, agent.report(others=[agent.end(task, outcome="FINISHED", files=files) for task in agent.tasks()]))
    program = programs.upload(ADA, "a.zip", BytesIO(PROGRAM), sha256(PROGRAM).hexdigest(), len(PROGRAM))
    operation = planning.ask(ADA, program, "jobs:build", programs.Call(), Kind.PLAN)
    turn(leader)
    agent.listen()
    made = {"name": "made", "stages": [{"name": "a", "command": ["true"]}]}
    turn(leader, agent.finish(agent.tasks(), json.dumps(made)))
    planning.finish(operation)
    return job | {"operation": str(operation)}


def path_of(route: Route, job: dict[str, Any]) -> str:
    known = {"job": job["id"], "stage": "a", "index": "0", "stream": "stdout", "node": "n1", "type": "job:1"}
    known |= {"output": "out", "path": "a.txt", "operation": job["operation"], "checkpoint": "1", "program": "a.zip"}
    return route.pattern.format_map(known)


def test_every_route_that_reads_answers_programs_and_browsers(admin: Client, ended: dict[str, Any]) -> None:
    found = {}
    for route in READ:
        for accept in ("application/json", "text/html,application/xhtml+xml,*/*;q=0.8"):
            answer = admin.get(path_of(route, ended), headers={"Accept": accept})
            # An answer in pieces has its transaction until it is read; the collector of garbage ends it in any statement.
            answer.getvalue()
            found[route.pattern, accept] = answer.status_code
    other = {asked: status for asked, status in found.items() if status != 200}
    assert other == {("/api/v1/docs", "application/json"): 406}, "the Swagger page is for browsers alone"


def test_lists_are_pages_for_browsers(admin: Client, ended: dict[str, Any]) -> None:
    for name in [*LISTS, f"jobs/{ended['id']}/stages", f"jobs/{ended['id']}/tasks", f"jobs/{ended['id']}/checkpoints"]:
        answer = admin.get(f"/api/v1/{name}", headers={"Accept": "text/html"})
        assert answer["Content-Type"].startswith("text/html"), name


def test_lists_cost_the_same_for_3_rows_and_for_30(
    admin: Client, submit: Submit, agent: ListAgent, statements: Callable[[Client, str], int]
) -> None:
    job = submit({f"s{number}": {"parallelism": 10} for number in range(30)})
    paths = [f"/api/v1/{name}" for name in LISTS]
    fill(agent, submit, 0, 3)
    few = [statements(admin, path) for path in paths]
    fill(agent, submit, 3, 30)
    assert [statements(admin, path) for path in paths] == few
    for part in ("stages", "tasks"):
        path = f"/api/v1/jobs/{job['id']}/{part}"
        assert statements(admin, f"{path}?limit=3") == statements(admin, f"{path}?limit=30")


def fill(agent: ListAgent, submit: Submit, first: int, last: int) -> None:
    for number in range(first, last):
        ListAgent(agent.broker, f"other{number}")
        made = Job.objects.get(id=submit({"a": {}}, type=f"kind{number}:1")["id"])
        Event.objects.create(at=made.created_at, job_id=made.id, node_id=agent.node, kind="test", text="told")
        user, _ = type(user_in(None)).objects.get_or_create(username=f"user{number}")
        grant(user, Role.VIEWER)
        tokens.create("test", role=Role.VIEWER, owner=user)
        audit.record(Identity(user, Role.VIEWER, "token"), "test", number)
