"""Files that tasks hand on to others, on real processes and two nodes."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.models import Task
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import Stack

MIB = 1024 * 1024
MAKE = "head -c 209715200 /dev/zero > out/model.bin; echo a > parts/a.csv; echo b > parts/b.csv; chmod +x parts/b.csv"
WEIGH = """
import hashlib, os

def weigh(task):
    [model] = task.inputs_files["train"]["model"]
    parts = task.inputs_files["train"]["parts"]
    found = hashlib.file_digest(model.open("rb"), "sha256").hexdigest()
    return [found, [path.read_text() for path in parts], [oct(path.stat().st_mode & 0o777) for path in [model, *parts]]]
"""
READ = (
    'cd "$SWITCHYARD_FILES/train" && wc -c < model/0/model.bin && cat parts/0/a.csv && '
    'cat */*/* | wc -c | sed "s/.*/{\\"result\\": &}/" > "$SWITCHYARD_REPORT"'
)


@pytest.fixture
def two(stack: Stack) -> Stack:
    """Give a stack with two nodes, each with a resource of its own."""
    for name, resource in (("n1", "left"), ("n2", "right")):
        stack.start_agent(name, 2, "--resource", f"{resource}=2")
    return stack


def test_a_task_hands_files_on_to_another_node(two: Stack) -> None:
    job = two.submit(
        {
            "train": {
                "command": MAKE, "shell": True, "resources": {"left": 1},
                "outputs": {"model": "out/model.bin", "parts": "parts/*.csv"},
            },
            "weigh": {
                "python": "weigh:weigh", "files": {"weigh.py": WEIGH}, "needs": ["train"], "resources": {"right": 1},
            },
            "read": {"command": READ, "shell": True, "needs": ["train"], "resources": {"left": 1}},
        }
    )  # fmt: skip
    assert two.wait(job).state == JobState.FINISHED, (job.error, two.logs())
    digest = hashlib.sha256(bytes(200 * MIB)).hexdigest()
    told: Any = Task.objects.get(stage__job=job, stage__name="train")
    assert [(output, path, size, executable) for output, path, _, size, executable in told.files] == [
        ("model", "model.bin", 200 * MIB, False), ("parts", "a.csv", 2, False), ("parts", "b.csv", 2, True),
    ]  # fmt: skip
    assert told.files[0][2] == digest
    person = {"Authorization": f"Token {two.credentials['token']}"}
    files = f"{two.url}/api/v1/jobs/{job.number}/stages/train/tasks/0/files"
    answer = httpx.get(f"{files}/parts/b.csv", headers=person, trust_env=False)
    assert (answer.content, answer.headers["Content-Disposition"]) == (b"b\n", 'attachment; filename="b.csv"')
    weighed = Task.objects.get(stage__job=job, stage__name="weigh").result
    assert weighed == [digest, ["a\n", "b\n"], ["0o444", "0o444", "0o555"]]
    assert Task.objects.get(stage__job=job, stage__name="read").result == 200 * MIB + 4
    assert not list(Path(two.folder).glob("n*/workers/*/handed/*"))
