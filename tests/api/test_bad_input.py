"""Bad input over HTTP: refused with the field and the reason, and nothing is stored."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from access.models import AuditEntry
from jobs.models import Job, JobType, Stage, Task
from switchyard.scheduling.spec.limits import Limits

pytestmark = pytest.mark.django_db

PYTHON = {"python": "bench.callables:square"}


def post(client: Client, body: Any, content_type: str = "application/json") -> Any:
    return client.post("/api/v1/jobs", body, content_type=content_type)


def stage(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, **PYTHON, **fields}


def job(*stages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "test", "stages": list(stages) or [stage()], **fields}


def assert_nothing_is_stored() -> None:
    for model in (Job, JobType, Stage, Task, AuditEntry):
        assert model.objects.count() == 0, model


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "cycle": (job(stage("a", needs=["b"]), stage("b", needs=["a"])), "stages", "in a circle: a → b → a"),
    "cycle of one": (job(stage("a", needs=["a"])), "stages[0].needs[0]", "this stage itself"),
    "unknown need": (job(stage("a", needs=["b"])), "stages[0].needs[0]", "b"),
    "duplicate stages": (job(stage("a"), stage("a")), "stages[1].name", "a"),
    "duplicate needs": (job(stage("a"), stage("b", needs=["a", "a"])), "stages[1].needs[1]", "a"),
    "zero cpus": (job(stage(resources={"cpus": 0})), "stages[0].resources", "cpus must be above 0"),
    "negative memory": (job(stage(resources={"mem": -5})), "stages[0].resources", "mem must be above 0"),
    "absurd cpus": (job(stage(resources={"cpus": 10**30})), "stages[0].resources.cpus", "must fit in 64 bits"),
    "resource that is a list": (job(stage(resources={"cpus": [1]})), "stages[0].resources", "cpus must be a number"),
    "no parallelism": (job(stage(parallelism=0)), "stages[0].parallelism", "1 or more"),
    "negative parallelism": (job(stage(parallelism=-1)), "stages[0].parallelism", "1 or more"),
    "no items": (job(stage(foreach=[])), "stages[0].foreach", "must not be empty"),
    "too much parallelism": (job(stage(parallelism=1_000_001)), "stages", "at most 1,000,000"),
    "parallelism that is a text": (job(stage(parallelism="many")), "stages[0].parallelism", "whole number, not text"),
    "parallelism that is a fraction": (job(stage(parallelism=1.5)), "stages[0].parallelism", "whole"),
    "unknown field": (job(color="red"), "color", "known"),
    "unknown field of a stage": (job(stage(comand=["ls"])), "stages[0].comand", "did you mean 'command'"),
    "name that is a number": (job(name=7), "name", "text"),
    "stages that are an object": ({"name": "test", "stages": {}}, "stages", "list"),
    "stage that is a text": ({"name": "test", "stages": ["a"]}, "stages[0]", "object"),
    "no stages": ({"name": "test", "stages": []}, "stages", "must not be empty"),
    "nothing to run": ({"name": "test", "stages": [{"name": "a"}]}, "stages[0]", "command"),
    "both to run": (job(stage(command=["ls"])), "stages[0]", "command"),
    "NUL in a name": (job(name="a\x00b"), "name", "must not contain"),
    "control character in an argument": (
        job({"name": "a", "command": ["echo", "\x00"]}),
        "stages[0].command[1]",
        "must not contain",
    ),
    "lone surrogate": (job(name="a\ud800b"), "name", ""),
    "text of megabytes": (job(name="x" * 10_000), "name", "200"),
    "negative priority": (job(priority=10**20), "priority", ""),
    "negative timeout": (job(stage(timeout=-1)), "stages[0].timeout", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_description_is_refused_by_field_with_a_reason(operator: Client, case: str) -> None:
    described, field, reason = BAD[case]
    answer = post(operator, json.dumps(described))
    assert answer.status_code == 400, answer.content
    told = {error["attr"] or "": error["detail"] for error in answer.json()["errors"]}
    found = [detail for attr, detail in told.items() if attr.startswith(field)]
    assert found, told
    assert reason in found[0]
    assert_nothing_is_stored()


TEXTS: dict[str, tuple[bytes, str, int, str]] = {
    "NaN": (b'{"name": "x", "priority": NaN, "stages": []}', "application/json", 400, "finite"),
    "infinity": (b'{"name": "x", "priority": Infinity, "stages": []}', "application/json", 400, "finite"),
    "YAML's NaN": (b"name: x\npriority: .nan\nstages: []", "application/yaml", 400, "number"),
    "duplicate keys": (b'{"name": "x", "name": "y"}', "application/json", 400, "name"),
    "deep nesting": (b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400, "nested"),
    "deep nesting in YAML": (b"name: " + b"[" * 5_000 + b"]" * 5_000, "application/yaml", 400, "nested"),
    "alias": (b"a: &a [x]\nb: *a", "application/yaml", 400, "anchor"),
    "aliases by the billion": (
        b"a: &a [x,x,x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c]\n" % (i + 1, i + 1, i, i, i) for i in range(97, 107)),
        "application/yaml",
        400,
        "anchor",
    ),
    "tag": (b"name: !!python/object/apply:os.system ['true']", "application/yaml", 400, "tag"),
    "two documents": (b"name: x\n---\nname: y", "application/yaml", 400, "document"),
    "no UTF-8": (b"name: \xff\xfe\xfd", "application/yaml", 400, "UTF-8"),
    "10 MB": (b'{"name": "' + b"x" * 10_000_000 + b'"}', "application/json", 413, f"{Limits().bytes:,}"),
    "10 MB of YAML": (b"name: " + b"x" * 10_000_000, "application/yaml", 413, f"{Limits().bytes:,}"),
    "too much YAML": (b"name: " + b"x" * 2_000_000, "application/yaml", 413, f"{Limits().yaml_bytes:,}"),
    "too many values": (b'{"name": [' + b"1," * 1_000_001 + b"1]}", "application/json", 400, "1,000,000 values"),
    "a list": (b"[]", "application/json", 400, "object"),
    "nothing": (b"null", "application/json", 400, "object"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_is_refused_with_a_reason(operator: Client, case: str) -> None:
    body, content_type, status, reason = TEXTS[case]
    answer = post(operator, body, content_type)
    assert answer.status_code == status, answer.content[:300]
    assert reason in " ".join(error["detail"] for error in answer.json()["errors"]), answer.content[:300]
    assert_nothing_is_stored()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("scheduler", {"paused": "perhaps"}, "paused"),
        ("scheduler", {"strategy": "luck"}, "strategy"),
        ("scheduler", {"strategy": ["bias"]}, "strategy"),
        ("scheduler", {"pause_reason": "x" * 251, "paused": True}, "pause_reason"),
        ("job-types/job:1", {"max_running": -1}, "max_running"),
        ("job-types/job:1", {"max_running": 1e20}, "max_running"),
        ("job-types/job:1", {}, "non_field_errors"),
    ],
)
def test_change_is_refused_by_field(
    operator: Client, submit: Callable[..., Any], path: str, body: dict[str, Any], field: str
) -> None:
    submit({"a": {}})
    answer = operator.patch(f"/api/v1/{path}", body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert field in [error["attr"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("body", [b"[", b"[]", b'"x"', b"7", b"\xff", b'{"reason": "\\u0000"}', b'{"reason": {"a": 1}}'])
@pytest.mark.parametrize("path", ["nodes/n1/pause", "nodes/n1/drain", "nodes/n1/deactivate", "job-types/job:1/pause"])
def test_reason_that_cannot_be_read_is_refused(
    operator: Client, agent: object, submit: Callable[..., Any], path: str, body: bytes
) -> None:
    submit({"a": {}})
    answer = operator.post(f"/api/v1/{path}", body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["detail"]
