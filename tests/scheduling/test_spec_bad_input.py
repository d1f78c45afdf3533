"""What is wrong with a job description is refused, at its place, with a reason that helps."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.spec import Limits, from_data, parse, to_json


def refusal(data: object, limits: Limits | None = None) -> tuple[Fault, ...]:
    with pytest.raises(InvalidSpec) as caught:
        from_data(data, limits=limits)
    return caught.value.faults


def job_faults(**fields: Any) -> tuple[Fault, ...]:
    return refusal({"name": "job", "stages": [{"name": "s", "command": ["true"]}]} | fields)


def stage_fault(limits: Limits | None = None, **fields: Any) -> Fault:
    """Return the only fault of a job whose one stage has these fields too."""
    [fault] = refusal({"name": "job", "stages": [{"name": "s", "command": ["true"]} | fields]}, limits)
    return fault._replace(path=fault.path.removeprefix("stages[0]").removeprefix("."))


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"name": "a b"}, "name", "'a b' must be at most 100 of A-Z a-z 0-9 . _ - and begin with"),
        ({"name": "x" * 101}, "name", "must be at most 100"),
        ({"name": "-rf"}, "name", "begin with a letter or digit"),
        ({"name": 7}, "name", 'must be text: write it in quotes, "7"'),
        ({"nmae": "x"}, "nmae", "is not a known field; did you mean 'name'?"),
        ({"command": None}, "", "must have either command or python"),
        ({"python": "a:b"}, "", "must have either command or python"),
        ({"command": []}, "command", "must not be empty"),
        ({"foreach": []}, "foreach", "must not be empty"),
        ({"command": [""]}, "command[0]", "must name a program"),
        ({"outputs": {"m": "/etc/passwd"}}, "outputs.m", "must be a relative path with plain parts"),
        ({"outputs": {"m": "a/../b"}}, "outputs.m", "must be a relative path with plain parts"),
        ({"outputs": {"m": "parts/**"}}, "outputs.m", "may have ** only as a part of its own with more behind it"),
        ({"outputs": {"m": "a**b"}}, "outputs.m", "may have ** only as a part of its own with more behind it"),
        ({"command": ["sleep", 5]}, "command[1]", 'must be text: write it in quotes, "5"'),
        ({"command": {"a": 1}}, "command", "must be a list such as"),
        ({"command": "ls | wc"}, "command", "must be a list such as"),
        ({"shell": True}, "shell", "needs command to be one text"),
        ({"shell": "yes"}, "shell", "must be true or false, not text"),
        ({"args": [1]}, "args", "goes with python only"),
        ({"interpreter": "python3"}, "interpreter", "goes with python only"),
        ({"command": None, "python": "no colon"}, "python", "must be module:function"),
        ({"command": None, "python": "a:b", "kwargs": [1]}, "kwargs", "must be an object, not a list"),
        ({"parallelism": 0}, "parallelism", "must be 1 or more, not 0"),
        ({"parallelism": -1}, "parallelism", "must be 1 or more, not -1"),
        ({"parallelism": True}, "parallelism", "must be a whole number, not true or false"),
        ({"parallelism": 1.0}, "parallelism", "must be a whole number, not a number"),
        ({"parallelism": 2, "foreach": [1]}, "parallelism", "must be left away"),
        ({"parallelism": 2_000_000}, "stages", "(limit 'tasks'"),
        ({"foreach": "abc"}, "foreach", "must be a list of items, or {from: stage}"),
        ({"foreach": {"from": "x"}}, "foreach.from", "no stage is named 'x'"),
        ({"foreach": {}}, "foreach.from", "is required"),
        ({"foreach": {"from": "s"}}, "foreach.from", "'s' is this stage itself"),
        ({"needs": ["s"]}, "needs[0]", "'s' is this stage itself"),
        ({"needs": "s"}, "needs", "must be a list, not text"),
        (
            {"needs": [{"stage": "s", "exchange": "some"}]},
            "needs[0].exchange",
            "must be 'all' or 'pointwise'",
        ),
        ({"timeout": 0}, "timeout", "must be above 0, not 0"),
        ({"timeout": "5m"}, "timeout", "must be a number, not text"),
        ({"timeout": 10**12}, "timeout", "or less"),
        ({"grace": -1}, "grace", "must be 0 or more"),
        ({"gang": 1}, "gang", "must be true or false"),
        ({"env": {"A": 1}}, "env.A", 'must be text: write it in quotes, "1"'),
        ({"env": {"A": True}}, "env.A", 'must be text: write it in quotes, "true"'),
        ({"env": {"1A": "x"}}, "env", "'1A' must be"),
        ({"env": {"SWITCHYARD_TASK": "x"}}, "env", "is set by the agent"),
        ({"files": {"/etc/passwd": ""}}, "files", "must be a relative path"),
        ({"files": {"a/../../b": ""}}, "files", "must be a relative path"),
        ({"files": {"a\\b": ""}}, "files", "must be a relative path"),
        ({"files": {"": ""}}, "files", "must be a relative path"),
        ({"files": {"a/": ""}}, "files", "must be a relative path"),
        ({"files": {"a" * 300: ""}}, "files", "at most 255 bytes"),
        ({"files": {"a": "", "a.b": "", "a/b": ""}}, "files", "'a' is both a file and the folder of 'a/b'"),
        ({"files": {"a": 1}}, "files.a", "must be a text, {text: …, executable: true}, or {base64: …}"),
        ({"files": {"a": {"executable": True}}}, "files.a", "must have either text or base64"),
        ({"files": {"a": {"text": "", "base64": ""}}}, "files.a", "must have either text or base64"),
        ({"files": {"a": {"base64": "é"}}}, "files.a.base64", "must be base64"),
        ({"files": {"a": {"base64": "AAAA" * 2**19}}}, "files", "limit 'files_bytes'"),
        ({"environment": "numpy"}, "environment", "must be an object, not text"),
        ({"environment": {}}, "environment", "must have requirements, lock or python"),
        ({"environment": {"requirements": "numpy"}}, "environment.requirements", "must be a list, not text"),
        ({"environment": {"requirments": []}}, "environment.requirments", "did you mean 'requirements'?"),
        ({"environment": {"requirements": ["a>>2"]}}, "environment.requirements[0]", "'a>>2' is no requirement such as"),
        ({"environment": {"requirements": ["-r x"]}}, "environment.requirements[0]", "is an option"),
        ({"environment": {"requirements": ["./x"]}}, "environment.requirements[0]", "is a local file"),
        ({"environment": {"requirements": ["x.whl"]}}, "environment.requirements[0]", "is a local file"),
        ({"environment": {"requirements": ["x @ file:///x"]}}, "environment.requirements[0]", "is a local file"),
        ({"environment": {"requirements": ["a"], "lock": "a"}}, "environment.requirements", "lock names all packages"),
        ({"environment": {"lock": "a==1\n\n-e .\n"}}, "environment.lock", "line 3: '-e .' is an option"),
        ({"environment": {"lock": "version = 1\n"}}, "environment.lock", 'write it by "uv export"'),
        ({"environment": {"lock": "# nothing\n"}}, "environment.lock", "must name at least one package"),
        ({"environment": {"python": 3.12}}, "environment.python", 'write it in quotes, "3.12"'),
        ({"environment": {"python": ">=3"}}, "environment.python", "must be a version such as 3.12"),
        ({"files": {"a": {"text": "", "executable": 1}}}, "files.a.executable", "must be true or false"),
        ({"files": {"a": {"text": "", "mode": 7}}}, "files.a.mode", "is not a known field"),
        ({"files": {"a": {"text": "x" * 2**21}}}, "files", "limit 'files_bytes'"),
        ({"files": {"a": "x" * 2**21}}, "files", "limit 'files_bytes'"),
    ],
)
def test_faulty_field_of_a_stage_is_named(fields: dict[str, Any], path: str, reason: str) -> None:
    fault = stage_fault(**fields)
    assert fault.path == path
    assert reason in fault.reason


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ({"cpus": 0}, "cpus must be above 0"),
        ({"cpus": -1}, "cpus must be above 0"),
        ({"cpus": 10**18}, "cpus must be above 0 and at most 1,000,000,000"),
        ({"cpus": 0.0005}, "cpus must not be finer than 0.001"),
        ({"cpus": "half"}, "cpus must be a number such as 2 or 0.5"),
        ({"cpus": "0.5m"}, "cpus must not be finer than 0.001"),
        ({"cpus": "1_000"}, "cpus must be a number"),
        ({"cpus": "inf"}, "cpus must be a number"),
        ({"cpus": True}, "cpus must be a number"),
        ({"cpus": None}, "cpus must be a number"),
        ({"cpus": [1]}, "cpus must be a number"),
        ({"mem": 0}, "mem must be above 0"),
        ({"mem": 1.5}, "mem must be a whole number of MiB"),
        ({"mem": "1G"}, "mem must be a whole number of MiB, or a text such as"),
        ({"mem": "1.0001GiB"}, "mem must be a whole number of MiB"),
        ({"mem": "-1GiB"}, "mem must be a whole number of MiB"),
        ({"disk": "999999999999TiB"}, "disk must be above 0 and at most"),
        ({"gpus": 1.5}, "gpus must be a fraction below 1"),
        ({"gpu0": 1}, "'gpu0' names one device of a node; ask for 'gpus'"),
        ({"Licenses": 1}, "'Licenses' must be a name such as"),
        ({"licenses": 0.5}, "licenses must be a whole number"),
        ({"licenses": "1"}, "licenses must be a whole number"),
        ({"licenses": 2**40}, "licenses must be above 0 and at most"),
        ([1], "must be an object"),
    ],
)
def test_absurd_resources_are_refused(amount: object, reason: str) -> None:
    fault = stage_fault(resources=amount)
    assert fault.path == "resources"
    assert fault.reason.startswith(reason)


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "  "}, "name", "must not be empty"),
        ({"name": "two\nlines"}, "name", "on one line"),
        ({"name": "\u202eevil"}, "name", "direction characters"),
        (
            {"name": "x" * 10_000},
            "name",
            "has 10,000 characters; at most 200 are allowed (limit 'name_length')",
        ),
        ({"stages": []}, "stages", "must not be empty"),
        ({"stages": {"a": {}}}, "stages", "must be a list, not an object"),
        ({"stages": [4]}, "stages[0]", "must be an object, not a number"),
        ({"prioritty": 1}, "prioritty", "is not a known field; did you mean 'priority'?"),
        ({"priority": 10**7}, "priority", "must be 1,000,000 or less"),
        ({"priority": "high"}, "priority", "must be a whole number, not text"),
        ({"pool": "../etc"}, "pool", "'../etc' must be"),
        ({"type": 4}, "type", "must be an object, not a number"),
        ({"type": {"name": "a", "version": 1.1}}, "type.version", 'write it in quotes, "1.1"'),
        ({"type": "a:b c"}, "type.version", "'b c' must be at most 50"),
        ({"labels": {"a": 1}}, "labels.a", "must be text"),
        ({"labels": {"=cmd()": "x"}}, "labels", "'=cmd()' must be"),
        (
            {"constraints": [{"label": "a", "values": ["x", "y"]}]},
            "constraints[0].values",
            "one value for eq",
        ),
        ({"constraints": [{"label": "a", "op": "in"}]}, "constraints[0].values", "must not be empty for in"),
        (
            {"constraints": [{"label": "a", "op": "exists", "values": ["x"]}]},
            "constraints[0].values",
            "left away",
        ),
        (
            {"constraints": [{"label": "a", "op": "<"}]},
            "constraints[0].op",
            "must be 'eq', 'ne', 'in' or 'exists'",
        ),
        ({"timeouts": {"run": -1}}, "timeouts.run", "must be above 0"),
        ({"timeouts": {"runs": 1}}, "timeouts.runs", "did you mean 'run'?"),
        ({"max_failures": -1}, "max_failures", "must be 0 or more"),
        ({"retry": {"attempts": 0}}, "retry.attempts", "must be 1 or more"),
        ({"retry": {"backoff": {"factor": 0.5}}}, "retry.backoff.factor", "must be 1 or more"),
        ({"retry": {"backoff": {"initial": 9, "max": 1}}}, "retry.backoff.initial", "must not be above max"),
        ({"retry": {"on": {"exit_codes": [256]}}}, "retry.on.exit_codes[0]", "must be 255 or less"),
        ({"retry": {"on": {"exceptions": ["not a name"]}}}, "retry.on.exceptions[0]", "an exception class"),
        ({"config": [1]}, "config", "must be an object, not a list"),
        ({"config": {"x": float("nan")}}, "config.x", "must be a finite number"),
        ({"config": {"x": [1, 10**4300]}}, "config.x[1]", "must have at most 4,300 digits"),
        ({"priority": 2**63}, "priority", "must fit in 64 bits"),
        ({"config": {"a b": "\x00"}}, "config['a b']", "must not contain the character '\\x00'"),
        ({"config": {"x": "\x1b[31m"}}, "config.x", "must not contain the character '\\x1b'"),
        ({"config": {"x": "\ud800"}}, "config.x", "must not contain the character '\\ud800'"),
        ({"config": {"\x00": 1}}, "config", "the key '\\x00' has a control character"),
        ({"config": {1: 1}}, "config", "the key 1 must be text"),
        ({"config": {"x": {1, 2}}}, "config.x", "must be plain JSON, not set"),
        ({"labels": {f"l{at}": "x" for at in range(1_001)}}, "labels", "has 1,001 entries; at most 1,000"),
    ],
)
def test_faulty_field_of_a_job_is_named(fields: dict[str, Any], path: str, reason: str) -> None:
    [fault] = job_faults(**fields)
    assert fault.path == path
    assert reason in fault.reason


def test_all_faulty_fields_are_told_at_once() -> None:
    faults = refusal({"priority": "x", "stages": [{"name": "a", "tiemout": 1}, {"command": 3, "grace": -1}]})
    assert {fault.path for fault in faults} == {
        "name",
        "priority",
        "stages[0].tiemout",
        "stages[1].name",
        "stages[1].command",
        "stages[1].grace",
    }


def test_thousands_of_faults_are_cut_short() -> None:
    with pytest.raises(InvalidSpec, match=r"and more$") as caught:
        from_data({"name": "job", "stages": [{"nam": at} for at in range(2_000)]})
    assert len(caught.value.faults) == 50


def stages_of(*links: tuple[str, list[Any]], **fields: Any) -> dict[str, Any]:
    stages = [{"name": name, "command": ["true"], "needs": needs} | fields for name, needs in links]
    return {"name": "job", "stages": stages}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (
            stages_of(("load", []), ("scan", ["laod"])),
            Fault("stages[1].needs[0]", "no stage is named 'laod'; did you mean 'load'?"),
        ),
        (
            stages_of(("a", []), ("b", []), ("a", [])),
            Fault("stages[2].name", "'a' is already the name of another stage"),
        ),
        (
            stages_of(("a", []), ("b", ["a", "a"])),
            Fault("stages[1].needs[1]", "'a' is already among the needs"),
        ),
        (
            stages_of(("a", ["b"]), ("b", ["a"])),
            Fault("stages", "the stages need each other in a circle: a → b → a"),
        ),
    ],
)
def test_faulty_graph_is_explained(data: dict[str, Any], fault: Fault) -> None:
    assert refusal(data) == (fault,)


def test_pointwise_needs_numbers_of_tasks_that_are_known() -> None:
    source = {"name": "list", "command": ["true"]}
    each = {"name": "each", "command": ["true"], "foreach": {"from": "list"}}
    after = {"name": "after", "command": ["true"], "needs": [{"stage": "each", "exchange": "pointwise"}]}
    [fault] = refusal({"name": "job", "stages": [source, each, after]})
    assert fault.path == "stages[2].needs[0]"
    assert fault.reason.startswith("pointwise needs both numbers of tasks to be fixed")


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(stages=2), stages_of(("a", []), ("b", []), ("c", []))),
        (Limits(edges=1), stages_of(("a", []), ("b", ["a"]), ("c", ["b"]))),
        (Limits(tasks=5), stages_of(("a", []), ("b", []), parallelism=3)),
        (Limits(tasks=5), stages_of(("a", []), foreach=[0] * 6)),
        (Limits(nodes=20), stages_of(("a", []), foreach=[0] * 20)),
        (Limits(name_length=2), stages_of(("a", []))),
        (Limits(files_bytes=3), stages_of(("a", []), files={"a": "éé"})),
    ],
)
def test_each_limit_is_named_by_its_refusal(limits: Limits, data: dict[str, Any]) -> None:
    [name] = [name for name in Limits.__slots__ if getattr(limits, name) != getattr(Limits(), name)]
    [fault] = refusal(data, limits)
    assert fault.reason.endswith(f"are allowed (limit '{name}')")


def test_depth_is_bounded_in_decoded_data_too() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    [fault] = job_faults(config={"x": deep})
    assert fault.path.startswith("config.x[0][0]")
    assert fault.reason == "is nested deeper than 32 levels"
    while isinstance(deep, list):
        deep = deep.pop()


def test_extremes_are_settled_in_two_seconds() -> None:
    chain = stages_of(*[(f"s{at}", [f"s{at - 1}"] if at else []) for at in range(10_000)])
    circle = stages_of(*[(f"s{at}", [f"s{at - 1 if at else 9_999}"]) for at in range(10_000)])
    dense = stages_of(*[(f"s{at}", [f"s{up}" for up in range(at)]) for at in range(500)])
    lost = stages_of(*[(f"stage{at}", ["stag"]) for at in range(2_000)])
    many = stages_of(*[(f"s{at}", []) for at in range(10_001)])
    for data, accepted in [(chain, True), (circle, False), (dense, False), (lost, False), (many, False)]:
        started = time.thread_time()
        text = json.dumps(data)
        if accepted:
            assert len(parse(text).stages) == 10_000
        else:
            with pytest.raises(InvalidSpec):
                parse(text)
        assert time.thread_time() - started < 2


def buffered(buffer: object = 2, exchange: str = "pointwise", **more: object) -> dict[str, object]:
    """Describe a job with a buffer between its two stages; `more` is of the one that takes from it."""
    needs = [{"stage": "a", "exchange": exchange, "buffer": buffer}]
    stages = [
        {"name": "z", "command": ["true"]},
        {"name": "a", "command": ["true"], "parallelism": 8},
        {"name": "b", "command": ["true"], "parallelism": 4, "needs": needs, **more},
    ]
    return {"name": "buffered", "stages": stages}


@pytest.mark.parametrize(
    ("description", "path", "reason"),
    [
        (buffered(0), "stages[2].needs[0].buffer", "must be 1 or more, not 0"),
        (buffered("2"), "stages[2].needs[0].buffer", "must be a whole number, not text"),
        (buffered(2, "all"), "stages[2].needs[0].buffer", "goes with exchange: pointwise only"),
        (buffered(1), "stages[2].needs[0].buffer", "must be 2 or more: so many results of a are taken at once"),
        (buffered(7, gang=True), "stages[2].needs[0].buffer", "must be 8 or more: so many results of a are taken at once"),
        (
            buffered(needs=[{"stage": "a", "exchange": "pointwise", "buffer": 2}, "z"]),
            "stages[2].needs[0].buffer",
            "might stay full for ever: b waits until whole stages have ended that a does not",
        ),
    ],
)
def test_a_buffer_that_could_not_work_is_refused(description: dict[str, object], path: str, reason: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        from_data(description)
    assert [(fault.path, fault.reason) for fault in caught.value.faults] == [(path, reason)]


def test_a_buffer_beside_a_gang_that_takes_all_at_once_is_refused() -> None:
    """The gang waits for all of a, which waits for b to take some, which waits for the gang."""
    a = {"name": "a", "python": "m:f", "parallelism": 3}
    gang = {"name": "g", "python": "m:f", "parallelism": 3, "gang": True}
    gang["needs"] = [{"stage": "a", "exchange": "pointwise", "buffer": 3}]
    b = {"name": "b", "python": "m:f", "parallelism": 3}
    b["needs"] = [{"stage": "a", "exchange": "pointwise", "buffer": 2}, {"stage": "g", "exchange": "pointwise"}]
    with pytest.raises(InvalidSpec) as refused:
        from_data({"name": "stuck", "stages": [a, gang, b]})
    [fault] = refused.value.faults
    assert fault.path == "stages[2].needs[0].buffer"
    assert "might stay full for ever" in fault.reason
    b["needs"] = [{"stage": "a", "exchange": "pointwise", "buffer": 3}, {"stage": "g", "exchange": "pointwise"}]
    assert from_data({"name": "works", "stages": [a, gang, b]}).stages[2].needs[0].buffer == 3


def test_a_buffer_that_works_is_kept() -> None:
    job = from_data(buffered(2))
    assert job.stages[2].needs[0].buffer == 2
    assert from_data(to_json(job)) == job
