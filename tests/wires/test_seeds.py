"""Every request of the other systems' documentation, sent by curl to a whole stack as it stands there.

Only host, port and ids are put in, and `@` for the `#` that is misprinted in the upload's line. An answer has at least the
fields that are shown, with their types or null.
"""

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from switchyard import Client, Job
from tests.programs.archives import zipped
from tests.switchyard.stacks import Running
from tests.wires.likeness import differences, known, unlike

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not shutil.which("curl"), reason="the requests are sent by curl"),
]

SEEDS = Path(__file__).parent / "seeds"
SAMPLES = Path(__file__).parent / "scale" / "recorded"
JAR = zipped({"switchyard.yaml": "jobs: {a: {job: {name: a, stages: [{name: s, command: ['true']}]}}}"})
UPLOAD = 'curl -X POST -H "Expect:" -F "jarfile=@path/to/flink-job.jar" http://hostname:port/jars/upload'
#: What is switched off or not there, by what is answered instead (docs/wires.md).
OFF = {
    "DELETE /cluster": 403,
    "GET /jobs/{jobid}/checkpoints": 404,
    "GET /jobs/{jobid}/checkpoints/config": 404,
    "GET /jobs/{jobid}/checkpoints/details/{checkpointid}": 404,
    "GET /jobs/{jobid}/checkpoints/details/{checkpointid}/subtasks/{vertexid}": 404,
    "PATCH /jobs/{jobid}/rescaling": 501,
    "GET /jobs/{jobid}/rescaling/{triggerid}": 404,
    "GET /jobs/{jobid}/savepoints/{triggerid}": 404,
    "GET /savepoint-disposal/{triggerid}": 404,
}
#: What a request needs beside its path.
MORE = {
    "POST /savepoint-disposal": """-d '{"savepoint-path": "file:/none"}' """,
    "POST /jobs": """-F 'file=@-;filename=job.json' """,
    "PATCH /jobs/{jobid}/rescaling": "?parallelism=2",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What curl was answered."""

    status: int
    type: str
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def seed(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SEEDS / f"{name}.json").read_text())
    return found


def curl(line: str, stdin: str = "") -> Told:
    """Run a line that starts with `curl`."""
    shown = ["-sS", "-m", "60", "-w", "\n%{http_code} %{content_type}"]
    command = shlex.split(line)
    done = subprocess.run([command[0], *shown, *command[1:]], input=stdin, capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return Told(int(status.split()[0]), status.partition(" ")[2], body)


@pytest.fixture(scope="module")
def ids(whole_stack: Running) -> dict[str, str]:
    """Give the names that stand for a job of two stages that told all that tasks can, and for its parts."""
    job = Job("seed", config={"some": "thing"})
    job.stage("last", python="time:time", needs=[job.stage("first", python="bench.callables:tell", parallelism=3)])
    with Client(whole_stack.url, whole_stack.token) as client:
        id_ = str(job.submit(client).wait(timeout=90).id)
    first = curl(f"curl {whole_stack.url}/jobs/{id_}").json["vertices"][0]["id"]
    (node,) = curl(f"curl {whole_stack.url}/taskmanagers").json["taskmanagers"]
    return {
        "jobid": id_.replace("-", ""),
        "job_id": id_,
        "vertexid": first,
        "taskmanagerid": node["id"],
        "stage_id": "1",
        "subtaskindex": "0",
        "subtasknum": "0",
        "attempt": "0",
        "checkpointid": "1",
        "triggerid": "0" * 31 + "1",
        "jarid": "MyProgram.jar",
    }


@pytest.fixture
def endless(whole_stack: Running) -> Iterator[Callable[[], str]]:
    """Submit jobs that run until they are stopped."""
    with Client(whole_stack.url, whole_stack.token) as client:
        made: list[Any] = []

        def submit() -> str:
            job = Job("endless")
            job.stage("wait", command=["sleep", "1000"], grace=0.1)
            made.append(job.submit(client))
            return str(made[-1].id)

        yield submit
        for each in made:
            each.cancel()
            each.wait(timeout=60)


def sent(stack: Running, verb: str, path: str, ids: Mapping[str, str], more: str = "", stdin: str = "") -> Told:
    query, options = (more, "") if more.startswith("?") else ("", more)
    return curl(f"curl -X {verb} {options} '{stack.url}{path.format(**ids)}{query}'", stdin)


@pytest.mark.parametrize("asked", seed("flink"), ids=lambda asked: f"{asked['verb']} {asked['path']}")
def test_flinks_requests_answer_by_their_schemas(
    whole_stack: Running, ids: dict[str, str], endless: Callable[[], str], asked: dict[str, Any], tmp_path: Path
) -> None:
    name = f"{asked['verb']} {asked['path']}"
    names = ids | {"jobid": endless()} if asked["verb"] == "PATCH" else ids
    description = json.dumps({"name": "sent", "stages": [{"name": "only", "command": ["true"]}]})
    file = tmp_path / "MyProgram.jar"
    file.write_bytes(JAR)
    curl(UPLOAD.replace("path/to/flink-job.jar", str(file)).replace("http://hostname:port", whole_stack.url))
    more = f"-F jarfile=@{file}" if name == "POST /jars/upload" else MORE.get(name, "")
    told = sent(whole_stack, asked["verb"], asked["path"], names, more, description)
    assert told.status == OFF.get(name, asked["code"]), told.body
    assert told.type == "application/json; charset=UTF-8"
    if name in OFF:
        assert [type(each) for each in told.json["errors"]] == [str]
    else:
        assert list(differences(told.json, asked["answer"], known(asked["answer"]))) == []


@pytest.mark.parametrize("asked", seed("flink_older"), ids=lambda asked: str(asked["path"]))
def test_flinks_older_requests_answer_like_their_samples(
    whole_stack: Running, ids: dict[str, str], asked: dict[str, Any]
) -> None:
    told = sent(whole_stack, "GET", asked["path"], ids, "?legacy=true")
    assert told.status == 200
    assert list(unlike(told.json, asked["answer"])) == []


def test_flinks_line_for_an_upload_is_answered_in_its_words(whole_stack: Running, tmp_path: Path) -> None:
    (tmp_path / "flink-job.jar").write_bytes(JAR)
    line = UPLOAD.replace("path/to", str(tmp_path)).replace("http://hostname:port", whole_stack.url)
    told = curl(line)
    assert (told.status, told.json["status"]) == (200, "success")


def test_a_job_is_submitted_in_pieces_without_a_length_as_flinks_own_client_does(whole_stack: Running) -> None:
    description = json.dumps({"name": "pieces", "stages": [{"name": "only", "command": ["true"]}]})
    told = sent(
        whole_stack, "POST", "/jobs", {}, "-H 'Transfer-Encoding: chunked' -F 'file=@-;filename=job.json'", description
    )
    assert told.status == 202
    assert sent(whole_stack, "GET", told.json["jobUrl"], {}).json["name"] == "pieces"


@pytest.mark.parametrize("verb", ["DELETE", "GET"])
def test_flinks_older_cancel_is_accepted(whole_stack: Running, endless: Callable[[], str], verb: str) -> None:
    told = sent(whole_stack, verb, "/jobs/{jobid}/cancel", {"jobid": endless()})
    assert (told.status, told.json) == (202, {})


@pytest.mark.parametrize("asked", seed("ballista"), ids=lambda asked: f"{asked['verb']} {asked['path']}")
def test_ballistas_requests_are_answered(
    whole_stack: Running, ids: dict[str, str], endless: Callable[[], str], asked: dict[str, Any]
) -> None:
    names = ids | {"job_id": endless()} if asked["verb"] == "PATCH" else ids
    told = sent(whole_stack, asked["verb"], asked["path"], names)
    assert (told.status, told.type.partition(";")[0]) == (200, asked["type"])
    assert told.body


@pytest.mark.parametrize("asked", seed("scale"), ids=lambda asked: f"{asked['verb']} {asked['path']} {asked.get('body', '')}")
def test_scales_requests_answer_like_their_samples(whole_stack: Running, asked: dict[str, Any]) -> None:
    body = f"-H 'Content-Type: application/json' --data '{json.dumps(asked['body'])}'" if "body" in asked else ""
    told = until_surveyed(lambda: sent(whole_stack, asked["verb"], asked["path"], {}, body))
    assert (told.status, told.type.partition(";")[0]) == (asked["code"], asked["type"])
    if recorded := asked.get("recorded"):
        assert list(unlike(told.json, json.loads((SAMPLES / recorded).read_text()))) == []
    elif asked["type"] == "application/json" and "version" in asked["answer"]:
        assert told.json.keys() == {"version"}
    elif asked["type"] == "application/json":
        assert told.json == asked["answer"]
    else:
        assert told.body


def until_surveyed(ask: Callable[[], Told]) -> Told:
    """Ask again while the first survey is not there yet."""
    deadline = time.monotonic() + 30
    while (told := ask()).status == 204 and time.monotonic() < deadline:
        time.sleep(0.2)
    return told
