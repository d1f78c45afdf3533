"""Edits of a description: values at paths reach what they name, and nothing else; a path that leads nowhere is refused."""

import copy
import json
from typing import Any

import pytest

from switchyard.scheduling.errors import InvalidSpec
from switchyard.scheduling.spec import Edit, Limits, edited, from_data, read_edit, to_json

JOB = {
    "name": "j",
    "stages": [
        {"name": "load", "python": "m:f", "kwargs": {"a": {"b.c": [1, 2]}}},
        {"name": "load.more", "python": "m:f", "needs": ["load"], "args": [1, {"x": 1}], "files": {"m.py": "x"}},
    ],
    "config": {"rate": 1},
}
STORED = to_json(from_data(JOB))


def at(described: Any, *steps: str | int) -> Any:
    for step in steps:
        described = described[step]
    return described


def apply(changes: dict[str, Any]) -> dict[str, Any]:
    return to_json(edited(STORED, Edit(changes), Limits()))


def fault(edit: Edit) -> tuple[str, str]:
    with pytest.raises(InvalidSpec) as refused:
        edited(STORED, edit, Limits())
    return refused.value.faults[0]


@pytest.mark.parametrize(
    ("path", "value", "steps"),
    [
        ("stages.load.resources.mem", 8192, ("stages", 0, "resources", "mem")),
        ("stages.load.more.timeout", 5.0, ("stages", 1, "timeout")),
        ("stages.load.more.args.1.x", [2], ("stages", 1, "args", 1, "x")),
        ("stages.load.more.files.lib.n.py", "text", ("stages", 1, "files", "lib.n.py")),
        ("stages.load.kwargs.a.b.c.1", None, ("stages", 0, "kwargs", "a", "b.c", 1)),
        ("stages.load.kwargs.new", -0.0, ("stages", 0, "kwargs", "new")),
        ("stages.load.more.needs.0.exchange", "pointwise", ("stages", 1, "needs", 0, "exchange")),
        ("retry.attempts", 3, ("retry", "attempts")),
        ("retry.on.exit_codes", [137], ("retry", "on", "exit_codes")),
        ("timeouts.run", 60.0, ("timeouts", "run")),
        ("type.name", "index", ("type", "name")),
        ("labels.example.com/a", "b", ("labels", "example.com/a")),
        ("priority", 5, ("priority",)),
        ("config.rate", 6.02e23, ("config", "rate")),
    ],
)
def test_a_path_reaches_what_it_names_and_nothing_else(path: str, value: Any, steps: tuple[str | int, ...]) -> None:
    before = copy.deepcopy(STORED)
    found = apply({path: value})
    assert json.dumps(at(found, *steps)) == json.dumps(value)
    assert before == STORED
    # But for what holds it, everything is as it was.
    assert {name for name in STORED if found[name] != STORED[name]} <= {steps[0]}


@pytest.mark.parametrize(
    ("path", "value", "where", "why"),
    [
        (
            "stages.lod.timeout",
            5,
            "stages.lod.timeout",
            "there is no such stage; did you mean 'load'? There is load, load.more",
        ),
        ("stages", [], "stages", "there is no such stage; there is load, load.more"),
        ("stages.load", {}, "stages.load", "is a whole stage; name one of its fields: name, command"),
        (
            "stages.load.resurces",
            {},
            "stages.load.resurces",
            "a stage has no field 'resurces'; did you mean 'resources'? There",
        ),
        ("stages.load.resources.mem", "8GB", "stages.load.resources", "mem must be a whole number of MiB, or a text such as"),
        ("stages.load.more.args.2", 5, "stages.load.more.args.2", "'2' is none of the items here, which are 0 to 1"),
        ("stages.load.args.0", 5, "stages.load.args.0", "is empty here"),
        ("stages.load.python.x", 5, "stages.load.python.x", "leads into text, which has no parts"),
        ("stages.load.timeout", "5 min", "stages.load.timeout", "must be a number, not text"),
        ("retry.attemps", 3, "retry.attemps", "retry has no field 'attemps'; did you mean 'attempts'? There is attempts"),
        ("config.speed.up", 3, "config.speed.up", "there is no 'speed' here; there is rate"),
        ("stage.load", 3, "stage.load", "a job has no field 'stage'; did you mean 'stages'?"),
        ("stages..load", 3, "stages..load", "is no path such as"),
        ("", 3, "", "is no path such as"),
        ("stages.load.more.needs.0.stage", "gone", "stages.load.more.needs[0]", ""),
    ],
)
def test_what_cannot_be_reached_is_named_with_what_there_is(path: str, value: Any, where: str, why: str) -> None:
    found = fault(Edit({path: value}))
    assert (found[0], found[1][: len(why)]) == (where, why)


def test_values_are_set_in_another_description_that_is_short() -> None:
    other = JOB | {"type": "index:2", "name": "k"}
    found = edited(STORED, Edit({"type.version": "3", "stages.load.more.needs.0.exchange": "pointwise"}, other), Limits())
    assert (found.name, found.type and found.type.version, found.stages[1].needs[0].exchange) == ("k", "3", "pointwise")
    assert fault(Edit({"priority": 1}, JOB | {"priority": "high"}))[0] == "priority"


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("[1]", "", "must be an object with set or description, not a list"),
        ('{"st": {}}', "st", "is not known here"),
        ('{"set": []}', "set", "must be an object of paths and values, not a list"),
        ('{"description": 5}', "description", "must be a job description, not a number"),
        ('{"set": {', "", "the job description is not JSON"),
    ],
)
def test_a_body_that_is_no_edit_is_refused(text: str, where: str, why: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read_edit(text, "json", Limits())
    found = refused.value.faults[0]
    assert (found.path, found.reason[: len(why)]) == (where, why)


@pytest.mark.parametrize("text", ["", " \n", "{}", '{"set": {}}'])
def test_no_body_and_an_empty_one_are_no_edit(text: str) -> None:
    assert not read_edit(text, None, Limits())


def test_an_edit_may_be_yaml() -> None:
    assert read_edit("set:\n  priority: 3\n", None, Limits()).changes == {"priority": 3}
