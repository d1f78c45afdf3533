"""The older API: its shapes have the very keys of the samples in its documentation, and its own paths are there always."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from jobs.models import Task

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]
#: What the documentation shows for each path; of each list the first member.
SAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "legacy.json").read_text())
#: What only some kinds of graphs have.
OPTIONAL = {"inputs", "local_strategy"}


def older(viewer: Client, path: str) -> Any:
    answer = viewer.get(path, headers={"Accept": "application/vnd.flink.legacy+json"})
    assert answer.status_code == 200
    return answer.json()


def differences(sample: Any, ours: Any, where: str = "") -> Iterator[str]:
    """Yield where keys or types differ."""
    if type(sample) is not type(ours) and not (isinstance(sample, int | float) and isinstance(ours, int | float)):
        yield f"{where}: {type(sample).__name__}, not {type(ours).__name__}"
    elif isinstance(sample, dict) and where != ".plan":
        if wrong := (sample.keys() ^ ours.keys()) - OPTIONAL:
            yield f"{where}: {sorted(wrong)}"
        for name in sample.keys() & ours.keys():
            yield from differences(sample[name], ours[name], f"{where}.{name}")
    elif isinstance(sample, list) and sample:
        for each in ours:
            yield from differences(sample[0], each, f"{where}[]")


@pytest.mark.parametrize("path", [path for path in SAMPLES if "exceptions" not in path])
def test_a_running_job_is_told_of_with_the_very_keys_of_the_samples(viewer: Client, running: Ids, path: str) -> None:
    assert list(differences(SAMPLES[path], older(viewer, path.format(**running)))) == []


def test_failures_are_told_with_the_very_keys_of_the_sample(viewer: Client, failed: Ids) -> None:
    path = "/jobs/{job}/exceptions"
    ours = older(viewer, path.format(**failed))
    assert len(ours["all-exceptions"]) == 2
    assert list(differences(SAMPLES[path], ours)) == []


def test_the_current_attempt_is_the_one_of_the_subtask(viewer: Client, running: Ids) -> None:
    subtask = f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/0"
    now, before = older(viewer, subtask), older(viewer, f"{subtask}/attempts/0")
    assert now | {"duration": 0} == before | {"duration": 0}


def test_the_vertices_of_a_job_are_the_job(viewer: Client, told: Told, running: Ids, finish: Callable[[], None]) -> None:
    finish()
    job, vertices = f"/jobs/{running['job']}", f"/jobs/{running['job']}/vertices"
    for shown, again in ((told(job), told(vertices)), (older(viewer, job), older(viewer, vertices))):
        assert again | {"now": 0} == shown | {"now": 0}
        assert [vertex["name"] for vertex in again["vertices"]] == ["read", "write"]


def test_a_status_is_told_alone(told: Told, operator: Client, running: Ids) -> None:
    assert told(f"/v1/jobs/{running['job']}/status/") == {"status": "RUNNING"}
    operator.patch(f"/jobs/{running['job']}")
    assert told(f"/jobs/{running['job']}/status") == {"status": "CANCELLING"}
    assert list(told(f"/jobs/{'0' * 32}/status", 404)) == ["errors"]


def test_accumulators_of_all_kinds_are_told_with_their_type_before_them(viewer: Client, running: Ids) -> None:
    Task.objects.update(accumulators=None)
    told = {"a": {"histogram": {"2": 1}}, "b": {"average": [1, 2]}}
    Task.objects.filter(stage__name="read", index=0).update(accumulators=told)
    found = older(viewer, f"/jobs/{running['job']}/accumulators")["user-task-accumulators"]
    assert [each["value"] for each in found] == ["Histogram {2=1}", "AverageAccumulator 0.5"]


@pytest.mark.parametrize("way", ["get", "delete"])
def test_the_older_ways_to_end_a_job_are_there_without_being_asked_for(operator: Client, running: Ids, way: str) -> None:
    for verb in ("stop", "cancel"):
        answer = getattr(operator, way)(f"/jobs/{running['job']}/{verb}")
        assert (answer.status_code, answer.json()) == (202, {})
