"""Flink's routes of programs: uploaded, listed, planned, run and deleted as its clients do; errors are in its words."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from artifacts.storage import Storage
from jobs.models import Job, Program, Stage
from tests.programs.archives import COUNT, zipped
from tests.wires.flink.conftest import JSON
from tests.wires.flink.test_recorded import assert_fits, assert_same_top, recorded

pytestmark = pytest.mark.django_db
Told = Callable[..., Any]
JAR = zipped({"switchyard.yaml": COUNT, "META-INF/MANIFEST.MF": "Main-Class: WordJob\n", "WordJob.class": "x"})
OUT = "program-args=--out%20o"


@pytest.fixture
def upload(operator: Client, kept: Storage) -> Told:
    def send(
        name: str = "word job.jar", data: bytes = JAR, status: int = 200, path: str = "/jars/upload", **more: Any
    ) -> Any:
        file = SimpleUploadedFile(name, data, content_type="application/x-java-archive")
        answer = operator.post("/jars/upload", {"jarfile": file, **more})
        assert (answer.status_code, answer["Content-Type"]) == (status, JSON), answer.content
        return answer.json()

    return send


@pytest.fixture
def jar(upload: Told) -> str:
    return str(upload()["filename"]).rpartition("/")[2]


def asked(client: Client, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    answer = client.generic(method, path, text, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (status, JSON), answer.content
    return answer.json()


def test_an_upload_is_answered_as_recorded(upload: Told) -> None:
    theirs, ours = recorded("upload_ok")["body"], upload()
    assert_same_top(theirs, ours)
    assert_fits(theirs, ours)
    id_, _, name = ours["filename"].rpartition("/")[2].partition("_")
    assert (str(UUID(id_)), name, ours["filename"][0]) == (id_, "word job.jar", "/")


def test_jars_are_listed_as_recorded_newest_first(upload: Told, told: Told) -> None:
    first, second = (upload(name) for name in ("one.jar", "two.jar"))
    for path in ("/jars", "/jars/", "/v1/jars"):
        ours = told(path)
        assert_same_top(recorded("jars")["body"], ours)
        assert_fits(recorded("jars")["body"], ours)
        assert [each["id"] for each in ours["files"]] == [each["filename"].rpartition("/")[2] for each in (second, first)]
    assert [each["name"] for each in ours["files"][0]["entry"]] == ["WordJob", "count", "plain"]


def test_the_settings_say_that_jars_are_served(told: Told) -> None:
    assert told("/config")["features"] == recorded("config")["body"]["features"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_plan_is_the_graph_of_the_job(viewer: Client, jar: str, method: str) -> None:
    path = f"/jars/{quote(jar)}/plan?entry-class=count&parallelism=3&{OUT}"
    told = asked(viewer, method, path)
    assert_fits(recorded("stream_job_plan")["body"], told)
    assert_same_top(recorded("stream_job_plan")["body"], told)
    add, read = told["plan"]["nodes"]
    assert (add["description"], read["description"], read["parallelism"], add["inputs"][0]["id"]) == (
        "add",
        "read",
        3,
        read["id"],
    )
    assert len(told["plan"]["jid"]) == 32
    assert not Job.objects.exists()
    body = {"entryClass": "count", "programArgs": "--out o", "parallelism": "2"}
    assert asked(viewer, "POST", f"/jars/{quote(jar)}/plan", body)["plan"]["nodes"][1]["parallelism"] == 2


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"?entry-class=count&{OUT}&parallelism=3&allowNonRestoredState=maybe", None),
        ("", {"entryClass": "count", "programArgs": "--out o", "parallelism": 3, "allowNonRestoredState": False}),
        ("", {"entryClass": "count", "programArgsList": ["--out", "o"], "parallelism": "3", "savepointPath": None}),
        ("?entry-class=count&programArg=--out&programArg=o&parallelism=3", {}),
        (
            "?entry-class=plain&parallelism=9&program-args=x",
            {"entryClass": "count", "programArgs": "--out=o", "parallelism": 3},
        ),
    ],
)
def test_a_run_takes_query_and_body_and_the_body_wins(operator: Client, jar: str, query: str, body: Any) -> None:
    told = asked(operator, "POST", f"/jars/{quote(jar)}/run{query}", body)
    assert list(told) == ["jobid"]
    job = Job.objects.get()
    assert (UUID(told["jobid"]), job.name) == (job.id, "count hello")
    assert Stage.objects.get(name="read").parallelism == 3


def test_a_plain_name_means_its_newest_upload(upload: Told, operator: Client) -> None:
    upload("MyProgram.jar", zipped({"switchyard.yaml": "jobs: {old: {job: {name: old, stages: [{name: s, command: [a]}]}}}"}))
    upload("MyProgram.jar", zipped({"switchyard.yaml": "jobs: {new: {job: {name: new, stages: [{name: s, command: [a]}]}}}"}))
    asked(operator, "POST", "/jars/MyProgram.jar/run?allowNonRestoredState=true")
    assert Job.objects.get().name == "new"


def test_what_is_named_jar_and_is_none_is_kept_and_cannot_be_run(upload: Told, told: Told, operator: Client) -> None:
    upload("a.jar", b"hello")
    assert told("/jars")["files"][0]["entry"] == []
    for method, what in (("GET", "plan"), ("POST", "run")):
        assert "no zip archive" in asked(operator, method, f"/jars/a.jar/{what}", status=400)["errors"][0]


def test_a_jar_is_deleted(operator: Client, jar: str) -> None:
    assert asked(operator, "DELETE", f"/jars/{quote(jar)}") == {}
    assert not Program.objects.exists()
    assert "does not exist" in asked(operator, "DELETE", f"/jars/{quote(jar)}", status=400)["errors"][0]


@pytest.mark.parametrize(("method", "what"), [("GET", "/plan"), ("POST", "/plan"), ("POST", "/run"), ("DELETE", "")])
def test_an_unknown_jar_is_a_400(operator: Client, method: str, what: str) -> None:
    for id_ in ("none.jar", f"{UUID(int=1)}_none.jar"):
        assert asked(operator, method, f"/jars/{id_}{what}", status=400) == {"errors": [f"Jar file {id_} does not exist"]}


def test_odd_uploads_are_refused_in_flinks_words(upload: Told, operator: Client) -> None:
    assert upload("a.zip", status=400) == {"errors": ["Only Jar files are allowed."]}
    assert upload(status=400, x="1") == {"errors": ["Received unknown attribute x."]}
    two = {name: SimpleUploadedFile(f"{name}.jar", JAR) for name in "ab"}
    assert operator.post("/jars/upload", two).json() == {"errors": ["Exactly 1 file must be sent, received 2."]}
    assert operator.post("/jars/upload", {}).json() == {"errors": ["Exactly 1 file must be sent, received 0."]}
    assert asked(operator, "POST", "/jars/upload", "{}", 400)["errors"]
    assert "leave its folder" in upload("a.jar", zipped({"../a": ""}), 400)["errors"][0]
    assert not Program.objects.exists()


@pytest.mark.parametrize(
    ("query", "body", "reason"),
    [
        ("entry-class=Missing", None, "no entry point"),
        ("parallelism=0", None, "1 or more"),
        ("parallelism=-1", None, "1 or more"),
        ("parallelism=abc", None, 'Cannot resolve query parameter (parallelism) from value "abc"'),
        ("savepointPath=/none", None, "outside of the folders for savepoints"),
        ("program-args='a", None, "arguments cannot be read"),
        ("", {"odd": 1}, "expected format JarRunRequestBody"),
        ("", {"parallelism": "many"}, "expected format JarRunRequestBody"),
        ("", {"entryClass": 1}, "expected format JarRunRequestBody"),
        ("", {"programArgsList": "a"}, "expected format JarRunRequestBody"),
        ("", "{", "expected format JarRunRequestBody"),
    ],
)
def test_odd_runs_are_refused(operator: Client, jar: str, query: str, body: Any, reason: str) -> None:
    assert reason in asked(operator, "POST", f"/jars/{quote(jar)}/run?{query}", body, 400)["errors"][0]
    assert not Job.objects.exists()


def test_roles(viewer: Client, jar: str) -> None:
    asked(viewer, "GET", f"/jars/{quote(jar)}/plan?entry-class=plain")
    for method, path in (("POST", f"/jars/{quote(jar)}/run"), ("DELETE", f"/jars/{quote(jar)}"), ("POST", "/jars/upload")):
        asked(viewer, method, path, status=403)
