"""What users read about job descriptions says what the code does: the guide and the JSON Schema."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from switchyard.scheduling.spec import (
    Backoff,
    CheckpointRule,
    Constraint,
    JobSpec,
    Limits,
    Need,
    RetryOn,
    RetryRule,
    StageSpec,
    Timeouts,
    TypeRef,
    json_schema,
    parse,
    to_json,
)
from switchyard.scheduling.spec.reading import read

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "job-description.md").read_text()
EXAMPLE = GUIDE.split("```yaml\n")[1].split("```")[0]
SCHEMA = Draft202012Validator(json_schema())


def test_schema_file_is_what_the_code_generates() -> None:
    assert json.loads((DOCS / "job.schema.json").read_text()) == json_schema()


def test_schema_is_a_schema_and_takes_the_example() -> None:
    meta.validate(json_schema())
    assert SCHEMA.is_valid(read(EXAMPLE, "yaml", Limits()))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "job", "stages": []},
        {"name": "job", "stages": [{"name": "a b"}]},
        {"name": "job", "stages": [{"name": "a"}], "unknown": 1},
        {"name": "job", "stages": [{"name": "a", "parallelism": 0}]},
        {"name": "job", "stages": [{"name": "a", "env": {"1A": "x"}}]},
        {"name": "job", "stages": [{"name": "a"}], "labels": {"=cmd()": "x"}},
        {"name": "job", "stages": [{"name": "a", "resources": {"cpus": -1}}]},
        {"name": "job", "stages": [{"name": "a", "needs": [{"stage": "b", "exchange": "some"}]}]},
    ],
)
def test_schema_refuses_what_the_server_refuses(wrong: object) -> None:
    assert not SCHEMA.is_valid(wrong)


def test_example_sets_every_field_of_a_job_and_of_a_stage() -> None:
    written = to_json(parse(EXAMPLE))
    set_by_stages = {name for stage in written["stages"] for name, value in stage.items() if value}
    assert {name for name, value in written.items() if value} == {f.name for f in fields(JobSpec)}
    assert set_by_stages == {f.name for f in fields(StageSpec)}


@pytest.mark.parametrize(
    "kind", [JobSpec, StageSpec, RetryRule, Backoff, RetryOn, CheckpointRule, Timeouts, Constraint, Need, TypeRef]
)
def test_guide_has_a_row_for_every_field(kind: Any) -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    named = {name.strip("` ") for row in rows for name in row.split("|")[1].split(",")}
    assert {f.name for f in fields(kind)} <= named
