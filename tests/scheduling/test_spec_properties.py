"""Job descriptions at random: valid ones survive storing, and any other input is refused, nothing else."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from switchyard.scheduling.errors import InvalidSpec, TooLarge
from switchyard.scheduling.spec import JobSpec, from_data, from_json, json_schema, parse, stage_from_json, to_json

SCHEMA = Draft202012Validator(json_schema())

texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=9)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
seconds = st.floats(0.001, 10**6)
runs = st.one_of(
    st.fixed_dictionaries({"command": st.lists(texts, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"command": texts, "shell": st.just(True)}),
    st.fixed_dictionaries({"python": st.just("a.b:c")}, optional={"args": st.lists(values, max_size=2)}),
)
sizes = st.one_of(
    st.fixed_dictionaries({}, optional={"parallelism": st.integers(1, 99)}),
    st.fixed_dictionaries({"foreach": st.lists(values, min_size=1, max_size=3)}),
)
file_data = st.fixed_dictionaries({"text": texts}, optional={"executable": st.booleans()})
others = st.fixed_dictionaries(
    {},
    optional={
        "env": st.dictionaries(st.sampled_from(["A", "b_1"]), texts),
        "files": st.dictionaries(st.sampled_from(["x", "y/z.txt"]), texts | file_data),
        "resources": st.fixed_dictionaries({}, optional={"cpus": st.integers(1, 64), "gpus": st.just(0.5)}),
        "gang": st.booleans(),
        "timeout": seconds,
    },
)
stage_data = st.tuples(runs, sizes, others).map(lambda parts: parts[0] | parts[1] | parts[2])


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """Descriptions that are valid, with needs only on earlier stages."""
    stages: list[dict[str, Any]] = []
    for at, body in enumerate(draw(st.lists(stage_data, min_size=1, max_size=4))):
        needs = draw(st.lists(st.sampled_from([s["name"] for s in stages]), unique=True)) if stages else []
        exchange = draw(st.sampled_from(["all", "pointwise"]))
        stages.append(body | {"name": f"s{at}", "needs": [{"stage": need, "exchange": exchange} for need in needs]})
    head = draw(
        st.fixed_dictionaries(
            {"name": texts},
            optional={
                "priority": st.integers(-9, 9),
                "labels": st.dictionaries(st.sampled_from(["a", "b/c"]), texts),
                "constraints": st.dictionaries(st.sampled_from(["a", "b/c"]), texts),
                "config": st.dictionaries(texts, values, max_size=2),
                "retry": st.fixed_dictionaries({"attempts": st.integers(1, 9)}),
                "timeouts": st.fixed_dictionaries({}, optional={"queue": seconds, "run": seconds}),
                "type": st.sampled_from(["t", "t:1"]),
            },
        )
    )
    return head | {"stages": stages}


@settings(max_examples=30)
@given(jobs())
def test_stored_form_is_plain_json_that_gives_the_same_job(data: dict[str, Any]) -> None:
    ours = from_data(data)
    stored = json.loads(json.dumps(to_json(ours), allow_nan=False))
    assert from_json(stored) == ours
    assert parse(json.dumps(stored)) == ours
    assert [stage_from_json(to_json(stage)) for stage in ours.stages] == list(ours.stages)


@settings(max_examples=30)
@given(jobs())
def test_published_schema_takes_every_job_that_the_server_takes(data: dict[str, Any]) -> None:
    from_data(data)
    SCHEMA.validate(data)
    SCHEMA.validate(to_json(from_data(data)))


HOSTILE = ["\x00", "\ud800", "../x", "{{7*7}}", "<svg/onload=alert(1)>", "=cmd()", "\u202e", "9" * 400, 2**63]
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
RICH: dict[str, Any] = {
    "name": "job",
    "type": {"name": "index", "version": "1"},
    "labels": {"team": "search"},
    "constraints": [{"label": "zone", "op": "in", "values": ["a", "b"]}],
    "timeouts": {"queue": 60, "run": 60},
    "retry": {
        "attempts": 3,
        "backoff": {"initial": 1},
        "on": {"exit_codes": [75], "exceptions": ["OSError"]},
    },
    "config": {"free": [1, {"deep": None}]},
    "stages": [
        {
            "name": "a",
            "command": ["sort", "-u"],
            "parallelism": 4,
            "env": {"A": "1"},
            "files": {"x/y": "text", "run": {"text": "#!/bin/sh", "executable": True}},
        },
        {"name": "b", "python": "a:b", "args": [1], "kwargs": {"k": 2}, "foreach": [1, "two"], "grace": 1.5},
        {
            "name": "c",
            "command": "x",
            "shell": True,
            "needs": [{"stage": "a", "exchange": "pointwise"}, "b"],
        },
        {"name": "d", "python": "a:b", "foreach": {"from": "b"}, "resources": {"cpus": 0.5, "mem": "2GiB"}},
    ],
}


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path] * bool(path) + [deep for key, child in inner for deep in places(child, (*path, key))]


@st.composite
def nearly_jobs(draw: st.DrawFn) -> Any:
    """Valid descriptions with one value replaced, removed, or given an odd neighbour."""
    data = deepcopy(RICH)
    *path, last = draw(st.sampled_from(places(data)))
    inside = data
    for step in path:
        inside = inside[step]
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            inside[last] = draw(wild)
        case "remove":
            del inside[last]
        case _ if isinstance(inside, dict):
            inside[draw(st.text(max_size=9))] = draw(wild)
    return data


def settle(data: Any) -> None:
    """Either there is a job, which can be stored, or a refusal that can be shown."""
    try:
        ours = from_data(data)
    except InvalidSpec as refusal:
        json.dumps([list(refusal.faults[0]), str(refusal)], ensure_ascii=False).encode()
    else:
        json.dumps(to_json(ours), allow_nan=False, ensure_ascii=False).encode()


@settings(max_examples=100)
@given(nearly_jobs())
def test_nearly_valid_data_is_a_job_or_a_refusal(data: Any) -> None:
    settle(data)


@settings(max_examples=100)
@given(wild)
def test_wild_data_is_a_job_or_a_refusal(data: Any) -> None:
    settle(data)


SYNTAX = [
    "name: x\n",
    "stages:\n",
    "- ",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "'",
    '"',
    "\\",
    "#",
    "|\n",
    ">-\n",
    "\t",
]
REFUSED = [
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "1e999",
    ".nan",
    "NaN",
    "-Infinity",
]
ODD = ["\x00", "\ufeff", "\ud800", "\\u0000", "\\ud800", "\r\n", "\x85", "\u2028", "é", "0x1", "null", "true"]
fragments = st.sampled_from(SYNTAX + REFUSED + ODD)


@settings(max_examples=200)
@given(
    st.one_of(st.lists(fragments, max_size=30).map("".join), st.text(), st.binary()),
    st.sampled_from([None, "json", "yaml"]),
)
def test_any_text_is_a_job_or_a_refusal(text: bytes | str, form: Any) -> None:
    try:
        assert isinstance(parse(text, format=form), JobSpec)
    except (InvalidSpec, TooLarge) as refusal:
        str(refusal).encode()
