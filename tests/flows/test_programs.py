"""Programs on real processes: uploaded over HTTP, fetched once by the node, and found by tasks in their working folders."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.models import Job, Task
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import Stack
from tests.programs.archives import zipped

MANIFEST = """jobs:
  count:
    parameters: {text: words.txt, times: 2}
    job:
      name: count
      stages:
        - name: split
          python: counting.words:split
          args: ["${{ text }}", "${{ times }}"]
          parallelism: "${{ parallelism }}"
        - {name: add, python: "counting.words:add", needs: [split]}
        - {name: shell, command: [sh, run.sh], files: {words.txt: "of my own"}, needs: [split]}
"""
WORDS = """
def split(text, times):
    return len(open(text).read().split()) * times

def add(task):
    return sum(task.inputs["split"])
"""
RUN = 'printf \'{"result": "%s"}\' "$(cat words.txt)" > "$SWITCHYARD_REPORT"'
FILES: dict[str, str | bytes] = {
    "switchyard.yaml": MANIFEST, "counting/__init__.py": "", "counting/words.py": WORDS, "words.txt": "a b c", "run.sh": RUN,
}  # fmt: skip


def run(stack: Stack, name: str, data: bytes, **call: Any) -> Job:
    headers = {"Authorization": f"Token {stack.credentials['token']}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, trust_env=False, timeout=60) as client:
        made = client.post("/programs", files={"file": (name, data)})
        assert made.status_code == 201, made.text
        answer = client.post(f"/programs/{made.json()['id']}/run", json=call)
        assert answer.status_code == 201, answer.text
    return stack.wait(Job.objects.get(id=answer.json()["id"]))


def test_tasks_find_their_program(stack: Stack) -> None:
    stack.start_agent("n1")
    job = run(stack, "count.zip", zipped(FILES), arguments=["--times", "3"], parallelism=2)
    assert job.state == JobState.FINISHED, (job.error, stack.logs())
    results = dict(Task.objects.filter(stage__job=job, stage__name__in=["add", "shell"]).values_list("stage__name", "result"))
    assert results == {"add": 18, "shell": "of my own"}
    assert not list(Path(stack.folder, "n1").rglob("*.archive"))


@pytest.mark.skipif(not (shutil.which("java") and shutil.which("javac")), reason="needs Java")
def test_a_jar_runs_where_java_is(stack: Stack, tmp_path: Path) -> None:
    source = tmp_path / "Hello.java"
    source.write_text('public class Hello { public static void main(String[] a) { System.out.println("hello " + a[0]); } }')
    subprocess.run(["javac", str(source)], check=True, timeout=120)
    jar = zipped({"META-INF/MANIFEST.MF": "Main-Class: Hello\n", "Hello.class": (tmp_path / "Hello.class").read_bytes()})
    stack.start_agent("n1")
    job = run(stack, "hello.jar", jar, arguments=["you"])
    assert job.state == JobState.FINISHED, (job.error, stack.logs())
    headers = {"Authorization": f"Token {stack.credentials['token']}"}
    log = httpx.get(f"{stack.url}/api/v1/jobs/{job.number}/stages/main/tasks/0/logs/stdout", headers=headers, trust_env=False)
    assert log.text == "hello you\n"
