"""What agents ask over HTTP: sessions, heartbeats, inputs, files, items, artifacts, logs; and how people read the logs."""

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from access.roles import Role
from artifacts.logs import logs
from artifacts.storage import storage
from artifacts.storing import uploads
from database import rows
from jobs.api.agents import LARGEST_INDEX
from jobs.leader.loop import Leader
from jobs.models import Stage
from jobs.store import results
from nodes.models import Node
from switchyard.messaging.messages import IDENTITY, Heartbeat
from tests.holding import put as put_file
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
API = "/api/v1/agent"
TOTALS = {"cpus": 2000, "mem": 4096}
SECRET, NEXT = "s" * 43, "n" * 43


@pytest.fixture
def node(db: None) -> Client:
    """Give the client of an agent."""
    return Client(headers=as_(Role.AGENT))


@pytest.fixture
def mine(agent: ListAgent) -> Client:
    """Give the client of the agent that the leader knows."""
    return Client(headers={**as_(Role.AGENT), IDENTITY: agent.identity})


@pytest.fixture
def placed(submit: Submit, leader: Leader, mine: Client) -> Submit:
    """Submit a job of which all that may run is placed on the agent's node."""

    def submit_and_place(stages: dict[str, dict[str, Any]], **spec: Any) -> dict[str, Any]:
        job = submit(stages, **spec)
        turn(leader)
        return job

    return submit_and_place


def register(node: Client, **told: Any) -> Any:
    return node.post(
        f"{API}/register",
        {"name": "n1", "totals": TOTALS, "version": settings.VERSION, "secret": SECRET, **told},
        content_type="application/json",
    )


def post_heartbeat(node: Client, told: dict[str, Any], secret: str = SECRET) -> Any:
    headers = {IDENTITY: f"{told['node']} {secret}"}
    return node.post(f"{API}/heartbeat", told, content_type="application/json", headers=headers)


def append(node: Client, stage: int, offset: int, data: bytes, stream: str = "stdout") -> Any:
    path = f"{API}/logs/{stage}/0/0/{stream}?offset={offset}"
    return node.post(path, data, content_type="application/octet-stream")


def put(node: Client, data: bytes, digest: str | None = None) -> Any:
    path = f"{API}/artifacts/{digest or hashlib.sha256(data).hexdigest()}"
    return node.put(path, data, content_type="application/octet-stream")


def stage_of(job: dict[str, Any], name: str = "a") -> int:
    return Stage.objects.get(job_id=job["id"], name=name).pk


@pytest.mark.parametrize("version", ["9.9.9", "", "nonsense"])
def test_an_agent_of_another_release_is_refused_with_both_versions(node: Client, version: str) -> None:
    answer = register(node, version=version)
    assert answer.status_code == 409
    detail = answer.json()["errors"][0]["detail"]
    assert settings.VERSION in detail
    assert version in detail
    assert not Node.objects.exists()
    assert register(node, version=f"{settings.VERSION}.post1").status_code == 200


def test_registered_agent_goes_on_with_its_session(node: Client) -> None:
    first = register(node).json()
    again = register(node, session=first["session"], secret=NEXT, last_secret=SECRET).json()
    assert (first["resumed"], again["resumed"]) == (False, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("info", "x"), ("info", [["a", "b"]]), ("totals", {"x" * 41: 1}), ("totals", {"": 1}), ("labels", "x")],
)
def test_registration_of_the_wrong_shape_is_refused_by_field(node: Client, field: str, value: Any) -> None:
    answer = register(node, **{field: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == field
    assert not Node.objects.exists()


@pytest.mark.parametrize("figures", ["x", 5, True, [["a", "b"]]])
def test_heartbeat_with_figures_that_are_no_object_is_refused(node: Client, figures: Any) -> None:
    first = register(node).json()
    told = {"node": first["node"], "session": first["session"], "number": 1, "figures": figures}
    answer = post_heartbeat(node, told)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "figures")


def test_the_name_of_its_machine_is_shown_of_a_node(node: Client) -> None:
    register(node, info={"host": "machine-7"})
    assert Client(headers=as_(Role.VIEWER)).get("/api/v1/nodes/n1").json()["hostname"] == "machine-7"


def test_second_agent_of_the_same_name_is_refused(node: Client) -> None:
    register(node, info={"agent": "first"})
    for told in ({}, {"info": {"agent": "second"}}, {"info": {"agent": "second"}, "session": "of another time"}):
        answer = register(node, **told)
        assert answer.status_code == 409
        assert "Another agent runs under this name" in answer.json()["errors"][0]["detail"]


def test_an_agent_that_lost_its_session_takes_its_own_name_again(node: Client) -> None:
    first = register(node, info={"agent": "first"}).json()
    again = register(node, info={"agent": "first"}, secret=NEXT, last_secret=SECRET)
    assert again.status_code == 200
    assert again.json()["session"] != first["session"]


def test_the_name_of_an_agent_that_has_left_is_free(node: Client) -> None:
    first = register(node, info={"agent": "first"}).json()
    told = {"node": first["node"], "session": first["session"], "number": 9, "figures": {"leaving": True, "left": True}}
    assert post_heartbeat(node, told).status_code == 200
    second = register(node, info={"agent": "second"})
    assert (second.status_code, second.json()["resumed"]) == (200, False)
    assert Node.objects.get().figures == {}


@pytest.mark.parametrize(
    "told",
    [
        {"name": "a\x00b"},
        {"name": ""},
        {"totals": {"cpus": -1}},
        {"totals": {"cpus": 10**30}},
        {"totals": "many"},
        {"labels": [1]},
        {"pool": "a b"},
        {"info": {"a": "\x00"}},
        {"session": "\x00"},
    ],
)
def test_odd_registration_is_refused(node: Client, told: dict[str, Any]) -> None:
    assert register(node, **told).status_code == 400


def test_agent_that_does_not_reach_the_broker_stands_as_an_error_until_it_is_heard_by_it(
    node: Client, viewer: Client, leader: Leader, agent: ListAgent
) -> None:
    def beat(**figures: Any) -> list[dict[str, Any]]:
        told = {"node": agent.node, "session": agent.session, "number": 7, "figures": figures}
        assert post_heartbeat(node, told, agent.secret).status_code == 200
        return conditions()

    def conditions() -> list[dict[str, Any]]:
        shown = viewer.get("/api/v1/nodes/n1").json()
        assert shown["state"] == "READY"
        found: list[dict[str, Any]] = shown["conditions"]
        return found

    assert beat() == []
    (first,) = beat(broker="away")
    (second,) = beat(broker="away")
    assert (first["kind"], first["title"]) == ("error", "The agent does not reach Redis")
    assert first["started_at"] == second["started_at"] < second["updated_at"]
    assert beat() == []
    (third,) = beat(broker="away")
    assert third["started_at"] > second["updated_at"]
    leader.turn([Heartbeat(agent.node, agent.session, 8, {})])
    assert conditions() == []


def test_heartbeat_is_acknowledged_until_the_session_ends(node: Client) -> None:
    made = register(node).json()
    beat = {"node": made["node"], "session": made["session"], "number": 7, "figures": {"cpu": 0.5}}
    heard = post_heartbeat(node, beat)
    assert heard.json() == {"acknowledged": 7}
    gone = post_heartbeat(node, {**beat, "session": "other"})
    assert gone.status_code == 409


def test_inputs_are_results_wherever_they_are_kept(mine: Client, placed: Submit, leader: Leader, agent: ListAgent) -> None:
    job = placed({"a": {"parallelism": 3}, "b": {"needs": ["a"]}}, max_failures=1)
    agent.listen()
    first, second, third, *_ = agent.tasks()
    long = b'"' + b"x" * 9000 + b'"'
    digest = put_file(long)
    turn(leader, agent.finish([first], result='{"a": 1}'))
    turn(leader, agent.report(others=[agent.end(second, outcome="FINISHED", result=None, result_digest=digest)]))
    inputs = f"{API}/inputs/{stage_of(job, 'b')}/{stage_of(job)}"
    found = mine.get(f"{inputs}?tasks=0-3").json()
    assert found == {"given": [[0, '{"a": 1}'], [1, long.decode()]], "failed": [], "left_out": []}, "task 2 has not ended"
    turn(leader, agent.fail([third]))
    assert mine.get(f"{inputs}?tasks=0-1,2-3").json() == {"given": [[0, '{"a": 1}']], "failed": [[2, 3]], "left_out": []}
    assert mine.get(f"{API}/inputs/{stage_of(job, 'b')}/{stage_of(job, 'b')}?tasks=0-1").status_code == 404
    for bad in ("", "1", "0-", "0-1,", "0-9999999999", "x-y"):
        assert mine.get(f"{inputs}?tasks={bad}").status_code == 400


def test_inputs_are_read_some_at_a_time_and_no_further_than_there_are_tasks(
    mine: Client, placed: Submit, leader: Leader, agent: ListAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = placed({"a": {"parallelism": 8}, "b": {"needs": ["a"]}}, max_failures=8)
    agent.listen()
    tasks = [task for task in agent.tasks() if task[0] == stage_of(job)]
    turn(leader, agent.finish([*tasks[:4], tasks[6]]))
    turn(leader, agent.fail([tasks[4]]))
    monkeypatch.setattr(results, "AT_ONCE", 2)
    asked, fetch = list[str](), rows.fetch

    def noted(statement: str, *values: Any) -> list[Any]:
        asked.append(statement)
        return fetch(statement, *values)

    monkeypatch.setattr(rows, "fetch", noted)
    found = mine.get(f"{API}/inputs/{stage_of(job, 'b')}/{stage_of(job)}?tasks=0-1,2-5,6-{LARGEST_INDEX}").json()
    assert [index for index, _ in found["given"]] == [0, 2, 3, 6]
    assert (found["failed"], found["left_out"]) == ([[4, 5]], [])
    assert len([statement for statement in asked if "FROM jobs_task" in statement]) == 3


def test_files_and_items_of_a_stage_are_told(mine: Client, placed: Submit) -> None:
    job = placed({"a": {"files": {"x/y.txt": "text"}, "foreach": ["p", {"q": 1}, "r"]}})
    assert mine.get(f"{API}/files/{stage_of(job)}").json() == {"x/y.txt": "text"}
    assert mine.get(f"{API}/items/{stage_of(job)}?low=1&high=3").json() == {"items": [{"q": 1}, "r"]}
    assert mine.get(f"{API}/items/{stage_of(job)}?low=x&high=3").status_code == 400
    assert mine.get(f"{API}/files/999").status_code == 403
    assert mine.get(f"{API}/files/{10**30}").status_code == 404


def test_description_of_a_stage_is_told_in_full(mine: Client, placed: Submit, leader: Leader, agent: ListAgent) -> None:
    long = {"b": ["x" * 100_000, 6.02e23, -0.0, "\u00e9\u2028\U0001f600"], "a": None}
    job = placed({"a": {}, "b": {"needs": ["a"], "kwargs": long, "files": {"f": "text"}, "env": {"A": "b"}}})
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:1], result='"given"'))
    agent.listen()
    stage = stage_of(job, "b")
    assert agent.stages[stage]["left_out"]
    told = mine.get(f"{API}/stages/{stage}").json()
    assert json.dumps(told["spec"]["kwargs"]) == json.dumps(long)
    assert (told["spec"]["env"], told["spec"]["files_digest"]) == ({"A": "b"}, agent.stages[stage]["spec"]["files_digest"])
    assert [(item["name"], item["given"]) for item in told["inputs"]] == [("a", [[0, '"given"']])]
    assert "files" not in told["spec"]
    assert mine.get(f"{API}/stages/{10**30}").status_code == 404


def test_artifact_is_kept_once_and_only_under_its_own_digest(mine: Client, tmp_path: Path) -> None:
    assert [put(mine, b"bytes").status_code for _ in range(2)] == [201, 200]
    assert put(mine, b"other", digest="0" * 64).status_code == 400
    assert storage().read(hashlib.sha256(b"bytes").hexdigest()) == b"bytes"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_artifact_over_the_limit_is_refused(mine: Client, settings: Settings) -> None:
    settings.LARGEST_ARTIFACT = 10
    uploads.cache_clear()
    assert put(mine, b"x" * 11).status_code == 413


@pytest.mark.parametrize("digest", ["..%2f..%2fetc%2fpasswd", "A" * 64, "0" * 63, "%00" * 64])
def test_artifact_has_no_other_name_than_a_digest(mine: Client, digest: str) -> None:
    assert put(mine, b"x", digest=digest).status_code == 404


def test_log_takes_what_it_lacks_once(mine: Client, placed: Submit) -> None:
    stage = stage_of(placed({"a": {}}))
    assert append(mine, stage, 0, b"one\n").json() == {"size": 4}
    assert append(mine, stage, 0, b"one\ntwo\n").json() == {"size": 8}
    assert append(mine, stage, 4, b"two\n").json() == {"size": 8}
    assert append(mine, stage, 2, b"e").json() == {"size": 8}
    gap = append(mine, stage, 9, b"x")
    assert (gap.status_code, gap.json()["size"]) == (409, 8)


def test_log_of_no_stage_is_refused(mine: Client) -> None:
    assert append(mine, 999, 0, b"x").status_code == 403


def test_log_over_the_limit_is_refused(mine: Client, placed: Submit, settings: Settings) -> None:
    settings.LARGEST_LOG = 10
    logs.cache_clear()
    stage = stage_of(placed({"a": {}}))
    assert append(mine, stage, 5, b"x" * 6).status_code == 413


def test_log_is_read_by_range_and_by_its_last_lines(mine: Client, viewer: Client, placed: Submit) -> None:
    job = placed({"a": {}})
    append(mine, stage_of(job), 0, b"one\ntwo\n\xff\n")
    log = f"/api/v1/jobs/{job['id']}/stages/a/tasks/0/logs/stdout"

    def read(query: str) -> tuple[bytes, str, str]:
        answer = viewer.get(f"{log}?{query}")
        assert answer["X-Log-Size"] == "10"
        return answer.content, answer["X-Log-Offset"], answer["X-Log-Next"]

    assert read("") == (b"one\ntwo\n\xff\n", "0", "10")
    assert read("offset=4&limit=3") == (b"two", "4", "7")
    assert read("offset=99") == (b"", "99", "99")
    assert read("tail=1") == (b"\xff\n", "8", "10")
    assert read("tail=2") == (b"two\n\xff\n", "4", "10")
    assert read("tail=9") == (b"one\ntwo\n\xff\n", "0", "10")
    assert viewer.get(f"{log}?offset=-1").status_code == 400
    assert viewer.get(f"{log}?attempt=5").status_code == 404
    assert viewer.get(log.replace("stdout", "stdfoo")).status_code == 404


def test_log_has_ended_when_all_that_was_written_is_there(
    mine: Client, viewer: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    job = submit({"a": {}})
    log = f"/api/v1/jobs/{job['id']}/stages/a/tasks/0/logs/stdout"
    assert viewer.get(log)["X-Log-Ended"] == "false"
    turn(leader)
    agent.listen()
    logs = {"stdout": {"bytes": 4, "dropped": 0}, "stderr": {"bytes": 0, "dropped": 0}}
    turn(leader, agent.report(others=[agent.end(agent.tasks()[0], outcome="FINISHED", result="1", logs=logs)]))
    assert viewer.get(log)["X-Log-Ended"] == "false"
    append(mine, stage_of(job), 0, b"all\n")
    assert viewer.get(log)["X-Log-Ended"] == "true"
    assert viewer.get(log.replace("stdout", "stderr"))["X-Log-Ended"] == "true"


def test_nobody_else_on_the_machine_reads_artifacts_and_logs(tmp_path: Path) -> None:
    logs()
    put_file(b"abc")
    assert {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in tmp_path.iterdir()} == {
        "artifacts": 0o700,
        "task-logs": 0o700,
    }
