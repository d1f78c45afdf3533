"""States that tasks save and go on from, on real processes."""

from pathlib import Path
from typing import Any

import httpx
from django.db.models import QuerySet

from jobs.commands import checkpoints, control
from jobs.models import Attempt, Checkpoint, Job, SavedStates, Task
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack
from tests.people import ADA

STEPS = """
import os, time

def count(task, until, failing, pause=0.02):
    state = task.restored_state({"at": 0, "seen": []})
    state["seen"].append([task.attempt, state["at"]])
    while state["at"] < until:
        state["at"] += 1
        task.save_state(state)
        time.sleep(pause)
        if failing and task.attempt == 0 and state["at"] == until // 2:
            raise RuntimeError("in the middle")
    return state

def raw(task):
    state = task.restored_state()
    if state is None:
        task.save_state(bytes(range(256)) * task.index)
        raise RuntimeError("again")
    return [type(state).__name__, len(state), state == bytes(range(256)) * task.index]

def answering(task, folder, until):
    at = task.restored_state(0)
    begun = at
    task.on_checkpoint(lambda: at)
    while at < until:
        at += 1
        time.sleep(0.01)
        task.progress(at / until)
        open(f"{folder}/{task.index}", "w").write(str(at))
    return [begun, at]

def member(task, folder):
    state = task.restored_state({"at": 0})
    begun = state["at"]
    task.on_checkpoint(lambda: {"at": state["at"]})
    while not os.path.exists(f"{folder}/enough"):
        state["at"] += 1
        time.sleep(0.02)
        task.check()
        if task.index == 1 and task.attempt == 0 and os.path.exists(f"{folder}/fail"):
            raise RuntimeError("one of the gang")
    return [task.attempt, begun]

def idle(task, folder):
    if task.restored_state() is None:
        task.save_state({"saved": "once"})
        while not os.path.exists(f"{folder}/fail"):
            time.sleep(0.02)
        raise RuntimeError("first")
    while task.attempt == 1 and not os.path.exists(f"{folder}/again"):
        time.sleep(0.02)
    if task.attempt == 1:
        raise RuntimeError("second")
    return [task.attempt, task.restored_state()]

def deaf(task):
    task.on_checkpoint(lambda: 1)
    time.sleep(task.index * 100)

def unkept(task):
    try:
        task.save_state({"a": {1, 2}})
    except ValueError as error:
        return str(error)
"""
COUNT: dict[str, Any] = {"files": {"steps.py": STEPS}}
RETRY = {"attempts": 3}


def test_a_task_that_fails_goes_on_from_its_last_state(stack: Stack) -> None:
    stack.start_agent("n1", 4)
    job = stack.submit(
        {
            "count": {"python": "steps:count", "kwargs": {"until": 20, "failing": True}, "parallelism": 3, **COUNT},
            "raw": {"python": "steps:raw", "parallelism": 3, **COUNT},
            "unkept": {"python": "steps:unkept", **COUNT},
        },
        retry=RETRY,
    )
    assert stack.wait(job).state == JobState.FINISHED, (job.error, stack.logs())
    assert [result["seen"] for result in results(job, "count")] == [[[0, 0], [1, 10]]] * 3
    assert results(job, "raw") == [["bytes", 256 * index, True] for index in range(3)]
    [refusal] = results(job, "unkept")
    assert refusal.startswith("the state is no JSON value: "), refusal
    stack.until(lambda: not list((stack.folder / "n1" / "results").iterdir()), "nothing of them is left on the node")


def test_a_command_goes_on_from_what_it_told(stack: Stack) -> None:
    stack.start_agent("n1", 2)
    told = (
        'cd "$SWITCHYARD_STATE"; if [ -e restored ]; then found=$(od -An -tx1 restored | tr -d " \\n"); '
        'printf \'{"result": "%s"}\' "$found" > "$SWITCHYARD_REPORT"; exit 0; fi; '
    )
    raw = told + 'printf "\\000\\377" > a; echo \'{"state_file": "a"}\' > "$SWITCHYARD_REPORT"; exit 3'
    value = told + 'echo \'{"state": [1, {"a": 6.02e23}]}\' > "$SWITCHYARD_REPORT"; exit 3'
    bad = 'echo \'{"state_file": "../report"}\' > "$SWITCHYARD_REPORT"; exit 0'
    stages = {name: {"command": text, "shell": True} for name, text in (("raw", raw), ("value", value))}
    job = stack.submit(stages, retry=RETRY)
    assert stack.wait(job).state == JobState.FINISHED, (job.error, stack.logs())
    assert results(job, "raw") == ["00ff"]
    assert bytes.fromhex(results(job, "value")[0]) == b'[1, {"a": 6.02e+23}]'
    job = stack.submit({"bad": {"command": bad, "shell": True}})
    assert stack.wait(job).state == JobState.FAILED
    assert "the name of a file in the folder SWITCHYARD_STATE" in (Task.objects.get(stage__job=job).error or "")


def test_a_task_whose_node_is_killed_goes_on_elsewhere(stack: Stack) -> None:
    stack.start_agent("n1", 1)
    job = stack.submit({"count": {"python": "steps:count", "args": [60, False], "kwargs": {"pause": 0.1}, **COUNT}})
    stack.until(lambda: SavedStates.objects.filter(stage__job=job, states__0__2=0).exists(), "a state is stored")
    stack.kill("n1")
    stack.start_agent("n1", 1)
    assert stack.wait(job, 120).state == JobState.FINISHED, (job.error, stack.logs())
    [result] = results(job, "count")
    [[_, first], [attempt, at]] = result["seen"]
    assert (first, attempt, result["at"]) == (0, 1, 60)
    assert at > 0


def test_a_suspended_task_goes_on_where_it_was(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("n1", 2)
    folder = tmp_path / "seen"
    folder.mkdir()
    job = stack.submit({"count": {"python": "steps:answering", "args": [str(folder), 150], "parallelism": 2, **COUNT}})
    stack.until(lambda: len(list(folder.iterdir())) == 2, "both count")
    control.suspend(ADA, job.id, "for a while")
    stack.until(lambda: Job.objects.get(id=job.id).state == JobState.SUSPENDED, "it is suspended")
    at = [int((folder / str(index)).read_text()) for index in range(2)]
    assert not Task.objects.filter(stage__job=job, state=TaskState.RUNNING).exists()
    control.resume(ADA, job.id)
    assert stack.wait(job).state == JobState.FINISHED, (job.error, stack.logs())
    # What is asked for a state tells its progress first, and only then notes in the file how far it is.
    assert [
        [begun in (before, before + 1), ended] for before, (begun, ended) in zip(at, results(job, "count"), strict=True)
    ] == [[True, 150]] * 2


def test_a_gang_goes_on_from_its_last_checkpoint_as_one(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("n1", 1)
    stack.start_agent("n2", 1)
    folder = tmp_path / "seen"
    folder.mkdir()
    members = {"python": "steps:member", "args": [str(folder)], "parallelism": 2, "gang": True, **COUNT}
    job = stack.submit({"gang": members}, retry=RETRY, checkpoint={"interval": 1, "keep": 2})
    stack.until(lambda: completed(job).count() >= 2, "two checkpoints are whole")
    (folder / "fail").touch()
    again = Task.objects.filter(stage__job=job, attempt=1, state=TaskState.RUNNING)
    stack.until(lambda: again.count() == 2, "both run again")
    (folder / "enough").touch()
    assert stack.wait(job).state == JobState.FINISHED, (job.error, stack.logs())
    found = results(job, "gang")
    assert [attempt for attempt, _ in found] == [1, 1]
    last = (
        completed(job).filter(ended_at__lt=Attempt.objects.filter(stage__job=job).earliest("ended_at").ended_at).latest("id")
    )
    assert (last.tasks, last.answers, last.is_periodic) == (2, 2, True)
    assert all(at > 0 for _, at in found), stack.logs()


def test_an_attempt_that_has_saved_nothing_answers_with_what_it_goes_on_from(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("n1", 1)
    job = stack.submit({"idle": {"python": "steps:idle", "args": [str(tmp_path)], **COUNT}}, retry=RETRY)
    stack.until(lambda: SavedStates.objects.filter(stage__job=job).exists(), "its state is stored")
    (tmp_path / "fail").touch()
    stack.until(lambda: Task.objects.filter(stage__job=job, attempt=1, state=TaskState.RUNNING).exists(), "it is tried again")
    checkpoints.trigger(ADA, job.id)
    stack.until(completed(job).exists, "a checkpoint is whole")
    (tmp_path / "again").touch()
    assert stack.wait(job).state == JobState.FINISHED, (job.error, stack.logs())
    assert results(job, "idle") == [[2, {"saved": "once"}]]


def test_a_person_asks_for_a_checkpoint(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("n1", 2)
    stack.start_agent("n2", 2)
    folder = tmp_path / "seen"
    folder.mkdir()
    job = stack.submit({"count": {"python": "steps:answering", "args": [str(folder), 2000], "parallelism": 4, **COUNT}})
    stack.until(lambda: len(list(folder.iterdir())) == 4, "all count")
    person: dict[str, Any] = {"headers": {"Authorization": f"Token {stack.credentials['token']}"}, "trust_env": False}
    api = f"{stack.url}/api/v1"
    asked = httpx.post(f"{api}/jobs/{job.number}/checkpoint", **person)
    assert asked.status_code == 202, asked.text
    path = f"{api}/operations/{asked.json()['id']}"
    stack.until(lambda: httpx.get(path, **person).json()["state"] == "COMPLETED", "the checkpoint is whole")
    assert httpx.get(path, **person).json()["outcome"] == {"checkpoint": 1}
    [checkpoint] = completed(job)
    assert (checkpoint.tasks, checkpoint.is_periodic) == (4, False)
    assert checkpoint.answers == sum(len(each.tasks) for each in SavedStates.objects.filter(checkpoint=checkpoint)) == 4
    control.cancel(ADA, job.id)
    assert stack.wait(job).state == JobState.CANCELED
    refused = httpx.post(f"{api}/jobs/{job.number}/checkpoint", **person)
    assert (refused.status_code, "does not run" in refused.text) == (409, True)


def test_a_checkpoint_that_is_not_answered_fails_by_name(stack: Stack) -> None:
    stack.start_agent("n1", 4)
    stages = {"deaf": {"python": "steps:deaf", "parallelism": 3, **COUNT}, "sleep": {"command": ["sleep", "100"]}}
    job = stack.submit(stages, checkpoint={"interval": 1, "timeout": 2})
    told = "2 tasks have not answered within 2 s: task 1 of deaf, task 2 of deaf"
    stack.until(lambda: Checkpoint.objects.filter(job=job, failure=told).exists(), "one fails that asked both")
    failed = Checkpoint.objects.filter(job=job, failure=told).earliest("id")
    assert failed.state == Checkpoint.State.FAILED
    assert not SavedStates.objects.filter(checkpoint=failed).exists()
    control.cancel(ADA, job.id)
    assert stack.wait(job).state == JobState.CANCELED
    stack.until(lambda: not Checkpoint.objects.filter(job=job, state=Checkpoint.State.IN_PROGRESS).exists(), "all have ended")


def completed(job: Job) -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(job=job, state=Checkpoint.State.COMPLETED)


def results(job: Job, stage: str) -> list[Any]:
    return [task.result for task in Task.objects.filter(stage__job=job, stage__name=stage).order_by("index")]
