"""Savepoints on real processes: a job is saved, and another starts from it, with as many tasks or with others."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from artifacts import references
from artifacts.kinds import Kind
from jobs.checks.artifacts import wrongly_kept
from jobs.models import Checkpoint, Job, Task
from jobs.upkeep import retention
from nodes.models import Event
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack

STEPS = """
import os, random, time

def draw(task):
    return random.random()

def walk(task, folder, until):
    state = task.restored_state([task.index * 1000])
    begun = len(state)
    task.on_checkpoint(lambda: state)
    while len(state) < until and not os.path.exists(f"{folder}/enough"):
        state.append(state[-1] + 1)
        time.sleep(0.01)
        task.check()
        open(f"{folder}/{task.index}", "w").write(str(len(state)))
    return [begun, state, 0]

def gather(task, folder):
    state = task.restored_state()
    if state is None:
        state = [[task.index, n, 6.02e23, -0.0] for n in range(task.index + 1)]
        task.on_checkpoint(lambda: state)
        open(f"{folder}/{task.index}", "w").write("ready")
        while True:
            time.sleep(0.01)
            task.check()
    return [task.index, state]

def word(task, folder):
    if task.restored_state() is None:
        task.save_state("a word")
        open(f"{folder}/word-{task.index}", "w").write("ready")
        time.sleep(100)
    return task.restored_state()
"""
FILES = {"files": {"steps.py": STEPS}}


class Person:
    """Ada, who asks by HTTP."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        headers = {"Authorization": f"Token {stack.credentials['token']}"}
        self.http = httpx.Client(base_url=f"{stack.url}/api/v1/", headers=headers, trust_env=False)

    def save(self, job: Job, **how: Any) -> dict[str, Any]:
        """Have a savepoint written, and return the operation as it ended."""
        asked = self.http.post(f"jobs/{job.number}/savepoint", json=how)
        assert asked.status_code == 202, asked.text
        path = f"operations/{asked.json()['id']}"
        self.stack.until(lambda: self.http.get(path).json()["state"] == "COMPLETED", "the savepoint is written")
        ended: dict[str, Any] = self.http.get(path).json()
        return ended

    def submit(self, stages: dict[str, dict[str, Any]], **query: Any) -> httpx.Response:
        described = {"name": "again", "stages": [{"name": name, **stage} for name, stage in stages.items()]}
        return self.http.post("jobs", json=described, params=query)

    def started(self, stages: dict[str, dict[str, Any]], **query: Any) -> Job:
        answer = self.submit(stages, **query)
        assert answer.status_code == 201, answer.text + self.stack.logs()
        return Job.objects.get(id=answer.json()["id"])


@pytest.fixture
def person(stack: Stack) -> Iterator[Person]:
    person = Person(stack)
    yield person
    person.http.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seen").mkdir()
    return tmp_path / "seen"


def results(job: Job, stage: str) -> list[Any]:
    return [task.result for task in Task.objects.filter(stage__job=job, stage__name=stage).order_by("index")]


def walking(folder: Path, until: int = 100_000, tasks: int = 2, **more: Any) -> dict[str, dict[str, Any]]:
    return {
        "draw": {"python": "steps:draw", "parallelism": 3, **FILES},
        "walk": {
            "python": "steps:walk",
            "args": [str(folder), until],
            "parallelism": tasks,
            "needs": ["draw"],
            **FILES,
            **more,
        },
    }


def gathering(folder: Path, tasks: int) -> dict[str, dict[str, Any]]:
    stage = {"python": "steps:gather", "args": [str(folder)], "parallelism": tasks, "resources": {"cpus": 0.2}}
    return {"gather": stage | FILES}


def begun(stack: Stack, folder: Path, tasks: int) -> None:
    running = Task.objects.filter(state=TaskState.RUNNING)
    stack.until(lambda: len(list(folder.iterdir())) == tasks == running.count(), "all run")


@pytest.mark.parametrize(("gang", "checkpoint"), [(False, None), (True, {"interval": 3600})])
def test_a_job_goes_on_from_the_savepoint_of_a_canceled_one(
    stack: Stack, person: Person, folder: Path, *, gang: bool, checkpoint: dict[str, Any] | None
) -> None:
    stack.start_agent("n1", 1)
    stack.start_agent("n2", 1)
    rule = {"checkpoint": checkpoint} if checkpoint else {}
    job = stack.submit(walking(folder, gang=gang), **rule)
    begun(stack, folder, 2)
    ended = person.save(job, then="cancel")
    assert ended["failure"] is None, ended
    location = ended["outcome"]["location"]
    assert ended["outcome"] == {"savepoint": 1, "location": location, "job_state": "CANCELED"}
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    manifest = json.loads((Path(location) / "_metadata").read_text())
    assert [(stage["name"], stage["finished"]) for stage in manifest["stages"]] == [("draw", [[0, 3]]), ("walk", [])]

    again = person.started(walking(folder, gang=gang), savepoint=f"file://{location}")
    stack.until(
        lambda: Task.objects.filter(stage__job=again, stage__name="walk", state=TaskState.RUNNING).count() == 2, "both go on"
    )
    (folder / "enough").touch()
    assert stack.wait(again).state == JobState.FINISHED, (again.error, stack.logs())
    assert results(again, "draw") == results(job, "draw")
    for index, (at_first, state, _) in enumerate(results(again, "walk")):
        assert at_first > 1
        assert state == [index * 1000 + step for step in range(len(state))]
    shown = person.http.get(f"jobs/{again.number}").json()
    assert shown["restored_from"] == {"job": job.number, "savepoint": 1, "location": location}
    told = Event.objects.get(job_id=again.id, kind="job_restored").text
    assert (
        told == f"The job starts from savepoint 1 of job {job.number}: 3 tasks had finished, and 2 go on from their states."
    )


@pytest.mark.parametrize("then", ["stop", "drain", "go_on"])
def test_a_job_ends_well_with_its_savepoint_or_goes_on(stack: Stack, person: Person, folder: Path, then: str) -> None:
    stack.start_agent("n1", 2)
    job = stack.submit(walking(folder))
    begun(stack, folder, 2)
    if then == "stop":
        assert person.save(job, then=then)["outcome"]["job_state"] == "FINISHED"
        states = {task.state for task in Task.objects.filter(stage__job=job, stage__name="walk")}
        assert (stack.wait(job).state, states) == (JobState.FINISHED, {TaskState.CANCELED})
        return
    if then == "go_on":
        assert person.save(job, then=then)["outcome"]["job_state"] == "RUNNING"
    else:
        person.http.post(f"jobs/{job.number}/savepoint", json={"then": then})
        stack.until(lambda: Job.objects.get(id=job.id).draining, "the job drains")
        assert Checkpoint.objects.get(job=job).manifest
    (folder / "enough").touch()
    assert stack.wait(job).state == JobState.FINISHED
    assert {task.state for task in Task.objects.filter(stage__job=job)} == {TaskState.FINISHED}
    refused = person.http.post(f"jobs/{job.number}/savepoint")
    assert (refused.status_code, "does not run" in refused.text) == (409, True)


@pytest.mark.parametrize("tasks", [1, 2, 3, 6])
def test_lists_are_shared_out_among_another_number_of_tasks(stack: Stack, person: Person, folder: Path, tasks: int) -> None:
    stack.start_agent("n1", 1)
    stack.start_agent("n2", 1)
    job = stack.submit(gathering(folder, 4))
    begun(stack, folder, 4)
    location = person.save(job, then="stop")["outcome"]["location"]
    again = stack.wait(person.started(gathering(folder, tasks), savepoint=location))
    assert again.state == JobState.FINISHED, (again.error, stack.logs())
    found = results(again, "gather")
    assert [index for index, _ in found] == list(range(tasks))
    elements = [element for _, state in found for element in state]
    assert elements == [[i, n, 6.02e23, -0.0] for i in range(4) for n in range(i + 1)]
    assert max(len(state) for _, state in found) - min(len(state) for _, state in found) <= 1


def test_what_is_wrong_is_refused_and_leaves_nothing_behind(stack: Stack, person: Person, folder: Path) -> None:
    stack.start_agent("n1", 4)
    outside = walking(folder)
    job = stack.submit({**outside, "word": {"python": "steps:word", "args": [str(folder)], "parallelism": 2, **FILES}})
    begun(stack, folder, 4)
    bad = person.http.post(f"jobs/{job.number}/savepoint", json={"directory": "/etc"})
    assert (bad.status_code, "outside of the folders" in bad.text) == (400, True)
    assert person.http.post(f"jobs/{job.number}/savepoint", json={"then": "fly"}).status_code == 400
    location = person.save(job)["outcome"]["location"]
    count = Job.objects.count()

    for path, code, said in (
        ("/etc/passwd", 400, "outside of the folders"),
        ("here", 400, "no absolute path"),
        ("file://host/tmp", 400, "no absolute path"),
        (f"{location}x", 404, "no savepoint at"),
    ):
        answer = person.submit(outside, savepoint=path)
        assert (answer.status_code, said in answer.text) == (code, True), answer.text
    lost = person.submit(outside, savepoint=location)
    assert (lost.status_code, "no stage word, of which the savepoint has states" in lost.text) == (400, True), lost.text
    words = {**walking(folder), "word": {"python": "steps:word", "args": [str(folder)], "parallelism": 3, **FILES}}
    unshared = person.submit(words, savepoint=location)
    assert (unshared.status_code, "is no list" in unshared.text) == (400, True), unshared.text
    more = walking(folder)
    more["draw"]["parallelism"] = 4
    uneven = person.submit(more, savepoint=location, allow_non_restored=True)
    assert (uneven.status_code, "3 of 3 tasks had finished" in uneven.text) == (400, True), uneven.text
    assert Job.objects.count() == count

    (folder / "enough").touch()
    allowed = person.started(walking(folder), savepoint=location, allow_non_restored=True)
    assert stack.wait(allowed).state == JobState.FINISHED
    manifest = Path(location) / "_metadata"
    text = manifest.read_bytes()
    manifest.write_bytes(text[:100])
    torn = person.submit(outside, savepoint=location)
    assert (torn.status_code, "is damaged" in torn.text) == (409, True)
    manifest.write_bytes(text)
    assert person.http.post(f"jobs/{job.number}/cancel").status_code == 202
    stack.wait(job)
    kept = person.http.delete(f"jobs/{job.number}")
    assert (kept.status_code, "has savepoints" in kept.text) == (409, True)
    assert person.http.delete(f"jobs/{job.number}/checkpoints/1").status_code == 204
    assert person.http.delete(f"jobs/{job.number}/checkpoints/1").status_code == 404
    assert not Path(location).exists()
    assert person.submit(outside, savepoint=location).status_code == 404
    assert person.http.delete(f"jobs/{job.number}").status_code == 204


def test_a_savepoint_outlives_a_scheduler_that_is_killed(stack: Stack, person: Person, folder: Path) -> None:
    stack.start_agent("n1", 2)
    job = stack.submit(walking(folder))
    begun(stack, folder, 2)
    stack.processes["scheduler"].send_signal(signal.SIGSTOP)
    asked = person.http.post(f"jobs/{job.number}/savepoint", json={"then": "stop"}).json()
    stack.kill("scheduler")
    stack.start_scheduler()
    path = f"operations/{asked['id']}"
    stack.until(lambda: person.http.get(path).json()["state"] == "COMPLETED", "the savepoint is written")
    assert person.http.get(path).json()["outcome"]["job_state"] == "FINISHED"


def test_a_disk_that_takes_no_manifest_fails_the_savepoint_and_lets_the_job_go_on(
    stack: Stack, person: Person, folder: Path
) -> None:
    stack.start_agent("n1", 2)
    job = stack.submit(walking(folder))
    begun(stack, folder, 2)
    (stack.folder / "savepoints").write_text("no folder")
    ended = person.save(job, then="cancel")
    assert ended["failure"]["name"] == "SavepointNotWritten"
    assert "Not a directory" in ended["failure"]["text"] or "File exists" in ended["failure"]["text"]
    assert Checkpoint.objects.get(job=job).state == Checkpoint.State.FAILED
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    (folder / "enough").touch()
    assert stack.wait(job).state == JobState.FINISHED


def test_states_are_kept_as_long_as_the_savepoint(stack: Stack, person: Person, folder: Path) -> None:
    stack.start_agent("n1", 2)
    job = stack.submit(walking(folder))
    begun(stack, folder, 2)
    person.save(job, then="stop")
    assert len(references.referrers(Kind.STATE)) >= 1
    while retention.expire(timezone.now()):
        pass
    assert len(references.referrers(Kind.STATE)) >= 1
    # What the stack stores is in a folder that this process does not look into.
    assert [each for each in wrongly_kept(timezone.now()) if "not stored" not in each] == []
