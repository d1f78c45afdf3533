"""Job descriptions: what each field means, and its short forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.spec import (
    Backoff,
    Constraint,
    Exchange,
    ForeachFrom,
    JobSpec,
    Need,
    Op,
    RetryOn,
    RetryRule,
    StageSpec,
    Timeouts,
    TypeRef,
    from_data,
    parse,
)


def stage(**fields: Any) -> StageSpec:
    """Return the one stage of a job, parsed."""
    return from_data({"name": "job", "stages": [{"name": "only", "command": ["true"]} | fields]}).stages[0]


def python_stage(**fields: Any) -> StageSpec:
    return from_data({"name": "job", "stages": [{"name": "only", "python": "app:run"} | fields]}).stages[0]


def job(**fields: Any) -> JobSpec:
    return from_data({"name": "job", "stages": [{"name": "only", "command": ["true"]}]} | fields)


def test_smallest_job_gets_the_documented_defaults() -> None:
    assert job() == JobSpec(
        name="job",
        stages=(StageSpec("only", command=("true",), resources={"cpus": 1_000}, grace=10.0),),
        priority=100,
        pool="default",
        retry=RetryRule(attempts=1),
        max_failures=0,
    )


def test_yaml_and_json_say_the_same() -> None:
    as_yaml = "name: job\nstages:\n- {name: only, command: [sort, -u], resources: {cpus: 0.5}}\n"
    as_json = '{"name": "job", "stages": [{"name": "only", "command": ["sort", "-u"], "resources": {"cpus": 0.5}}]}'
    assert parse(as_yaml) == parse(as_json) == parse(as_json, format="yaml") == parse(as_yaml.encode())


@pytest.mark.parametrize(
    ("short", "reference"),
    [
        ("index", TypeRef("index")),
        ("index:1.2", TypeRef("index", "1.2")),
        ({"name": "index", "version": "1.2"}, TypeRef("index", "1.2")),
        (None, None),
    ],
)
def test_type_is_a_name_or_a_name_and_version(short: object, reference: TypeRef | None) -> None:
    assert job(type=short).type == reference


def test_constraints_may_be_a_list_or_labels_with_values() -> None:
    assert job(constraints={"zone": "a", "disk": ["ssd", "nvme"]}).constraints == (
        Constraint("zone", Op.EQ, ("a",)),
        Constraint("disk", Op.IN, ("ssd", "nvme")),
    )
    assert job(constraints=[{"label": "gpu", "op": "exists"}]).constraints == (Constraint("gpu", Op.EXISTS),)


@pytest.mark.parametrize(
    ("constraint", "admitted"),
    [
        (Constraint("zone", Op.EQ, ("a",)), [{"zone": "a"}]),
        (Constraint("zone", Op.NE, ("a",)), [{"zone": "b"}, {}]),
        (Constraint("zone", Op.IN, ("a", "b")), [{"zone": "a"}, {"zone": "b"}]),
        (Constraint("zone", Op.EXISTS), [{"zone": "a"}, {"zone": "b"}, {"zone": "c"}]),
    ],
)
def test_constraint_admits_nodes_by_label(constraint: Constraint, admitted: list[dict[str, str]]) -> None:
    nodes: list[dict[str, str]] = [{"zone": "a"}, {"zone": "b"}, {"zone": "c"}, {}]
    if constraint.op is Op.NE:
        admitted = [*admitted, {"zone": "c"}]
    assert [labels for labels in nodes if constraint.admits(labels)] == [n for n in nodes if n in admitted]


@pytest.mark.parametrize(
    ("written", "amounts"),
    [
        ({}, {"cpus": 1_000}),
        ({"cpus": 2}, {"cpus": 2_000}),
        ({"cpus": 0.5}, {"cpus": 500}),
        ({"cpus": "500m"}, {"cpus": 500}),
        ({"cpus": "1.5"}, {"cpus": 1_500}),
        ({"cpus": 0.001}, {"cpus": 1}),
        ({"mem": 512, "disk": "1.5GiB"}, {"cpus": 1_000, "mem": 512, "disk": 1_536}),
        ({"mem": "2GiB"}, {"cpus": 1_000, "mem": 2_048}),
        ({"mem": "1TiB"}, {"cpus": 1_000, "mem": 1_048_576}),
        ({"gpus": 0.25}, {"cpus": 1_000, "gpus": 250}),
        ({"gpus": 2}, {"cpus": 1_000, "gpus": 2_000}),
        ({"licenses.matlab": 3}, {"cpus": 1_000, "licenses.matlab": 3}),
    ],
)
def test_resources_become_whole_numbers(written: object, amounts: dict[str, int]) -> None:
    assert stage(resources=written).resources == amounts


@given(st.integers(1, 10**9))
def test_thousandths_of_a_cpu_are_exact_however_they_are_written(amount: int) -> None:
    for written in (amount / 1_000, f"{amount}m", f"{amount // 1_000}.{amount % 1_000:03}"):
        assert stage(resources={"cpus": written}).resources["cpus"] == amount


def test_ten_tenths_are_one_cpu_exactly() -> None:
    assert stage(resources={"cpus": 0.1}).resources["cpus"] * 10 == stage(resources={"cpus": 1.0}).resources["cpus"]


def test_command_is_executed_as_it_stands_and_a_line_by_the_shell() -> None:
    assert stage(command=["sort", "-u"]).argv == ("sort", "-u")
    assert stage(command="sort | uniq -c", shell=True).argv == ("/bin/sh", "-c", "sort | uniq -c")
    assert python_stage().argv is None


def test_python_takes_json_arguments() -> None:
    ours = python_stage(args=[1, None, {"deep": [2.5]}], kwargs={"flag": True})
    assert (ours.python, ours.args, ours.kwargs) == ("app:run", (1, None, {"deep": [2.5]}), {"flag": True})


def test_number_of_tasks_comes_from_parallelism_or_foreach() -> None:
    assert stage().tasks == 1
    assert stage(parallelism=7).tasks == 7
    assert stage(foreach=["a", {"b": 1}, None]).tasks == 3


def test_foreach_from_a_stage_makes_it_an_upstream_once() -> None:
    source = {"name": "list", "python": "app:names"}
    implied = {"name": "each", "python": "app:run", "foreach": {"from": "list"}}
    for each in (implied, implied | {"needs": ["list"]}):
        ours = from_data({"name": "job", "stages": [each, source]})
        assert ours.stages[0].foreach == ForeachFrom("list")
        assert ours.stages[0].tasks is None
        assert ours.stages[0].upstreams == (Need("list", Exchange.ALL),)
        assert ours.links == (("each", ("list",)), ("list", ()))
        assert [stage.name for stage in ours.in_order()] == ["list", "each"]


def test_needs_are_names_or_say_their_exchange() -> None:
    stages = [
        {"name": "a", "command": ["true"], "parallelism": 4},
        {"name": "b", "command": ["true"]},
        {"name": "c", "command": ["true"], "needs": ["b", {"stage": "a", "exchange": "pointwise"}]},
    ]
    ours = from_data({"name": "job", "stages": stages})
    assert ours.stages[2].needs == (Need("b"), Need("a", Exchange.POINTWISE))


def test_retry_rule_and_timeouts_are_read_whole() -> None:
    rule = {
        "attempts": 4,
        "backoff": {"initial": 2, "factor": 3, "max": 60, "jitter": 0.5},
        "on": {"exit_codes": [75, -9], "exceptions": ["OSError"]},
    }
    ours = job(retry=rule, timeouts={"queue": 60, "run": 0.5})
    assert ours.retry == RetryRule(4, Backoff(2, 3, 60, 0.5), RetryOn((75, -9), ("OSError",)))
    assert ours.timeouts == Timeouts(queue=60, run=0.5)


def test_null_is_the_same_as_leaving_a_field_away() -> None:
    assert job(timeouts={"run": None}, owner=None) == job()
    assert stage(timeout=None, foreach=None, parallelism=None, interpreter=None) == stage()


def test_hundred_thousand_items_cost_no_more_than_reading_them() -> None:
    text = json.dumps({"name": "job", "stages": [{"name": "s", "python": "a:b", "foreach": list(range(100_000))}]})
    assert parse(text).stages[0].tasks == 100_000
