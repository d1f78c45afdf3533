"""Programs over the API: uploaded, listed, planned, run, deleted; and what is bad is refused and leaves nothing."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from artifacts.models import Artifact, Reference
from artifacts.storage import Storage, storage
from jobs.commands.control import delete_jobs
from jobs.models import Job, Program, Stage
from tests.programs.archives import BAD, COUNT, zipped

pytestmark = pytest.mark.django_db
FILES: dict[str, str | bytes] = {"switchyard.yaml": COUNT, "counting.py": "def add(times): return times", "words.txt": "a b"}
Upload = Callable[..., Any]


@pytest.fixture
def upload(operator: Client, kept: Storage) -> Upload:
    def send(name: str = "count.zip", data: bytes | None = None, code: int = 201) -> Any:
        file = SimpleUploadedFile(name, zipped(FILES) if data is None else data)
        answer = operator.post("/api/v1/programs", {"file": file})
        assert answer.status_code == code, answer.content
        return answer.json()

    return send


def test_a_program_is_kept_listed_and_shown(upload: Upload, viewer: Client) -> None:
    first, second = upload(), upload(data=zipped(FILES | {"more": "1"}))
    assert first["entries"] == [
        {"name": "count", "description": "Count words", "function": None},
        {"name": "plain", "description": None, "function": None},
    ]
    assert storage().has(first["digest"])
    assert [each["id"] for each in viewer.get("/api/v1/programs").json()["results"]] == [second["id"], first["id"]]
    assert viewer.get(f"/api/v1/programs/{first['id']}").json() == first
    assert viewer.get("/api/v1/programs/count.zip").json() == second
    assert viewer.get("/api/v1/programs/other.zip").status_code == 404


def test_a_run_submits_the_job_with_its_program(upload: Upload, operator: Client) -> None:
    made = upload()
    call = {"entry": "count", "arguments": ["--out", "o"], "parallelism": 3}
    described = operator.post("/api/v1/programs/count.zip/plan", call, content_type="application/json").json()["description"]
    assert [stage.get("parallelism") for stage in described["stages"]] == [3, None]
    assert not Job.objects.exists()
    answer = operator.post("/api/v1/programs/count.zip/run", call, content_type="application/json")
    assert answer.status_code == 201, answer.content
    job = answer.json()
    assert job["name"] == "count hello"
    kept = {"digest": made["digest"], "name": "count.zip", "unpacked": True}
    assert [stage.spec["program"] for stage in Stage.objects.order_by("position")] == [kept, kept]
    assert set(Reference.objects.values_list("kind", "referrer")) == {("program", made["id"]), ("job", job["id"])}


def test_a_program_outlives_its_deletion_with_the_jobs_that_were_made_of_it(upload: Upload, operator: Client) -> None:
    made = upload()
    job = operator.post(f"/api/v1/programs/{made['id']}/run", {"entry": "plain"}, content_type="application/json").json()
    assert operator.delete(f"/api/v1/programs/{made['id']}").status_code == 204
    assert operator.delete(f"/api/v1/programs/{made['id']}").status_code == 404
    assert list(Reference.objects.values_list("kind")) == [("job",)]
    delete_jobs([job["id"]])
    assert not Reference.objects.exists()


def test_the_same_key_runs_once(upload: Upload, operator: Client) -> None:
    upload()
    answers = [
        operator.post(
            "/api/v1/programs/count.zip/run",
            {"entry": "plain"},
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert Job.objects.count() == 1


@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_is_a_400_that_leaves_nothing(upload: Upload, settings: Any, what: str) -> None:
    settings.PROGRAM_FILES, settings.PROGRAM_BYTES = 100, 1_000_000
    name, data, reason = BAD[what]
    assert reason in upload(name, data, 400)["errors"][0]["detail"]
    assert not Program.objects.exists()
    assert not Artifact.objects.exists()
    assert not list(storage().stored())


@pytest.mark.parametrize("name", ["a:b.zip", ".zip", "a" * 300 + ".zip"])
def test_an_odd_name_is_a_400(upload: Upload, name: str) -> None:
    upload(name, zipped(FILES), 400)


def test_an_upload_over_the_cap_is_a_413(upload: Upload, settings: Any) -> None:
    settings.LARGEST_PROGRAM = 1000
    upload(data=zipped(FILES | {"a": bytes(range(256)) * 8}), code=413)
    assert not list(storage().stored())


def test_a_form_is_one_file(operator: Client, kept: Storage) -> None:
    def refused(**form: Any) -> str:
        answer = operator.post("/api/v1/programs", form)
        assert answer.status_code == 400
        return str(answer.json()["errors"][0]["detail"])

    assert "received 0" in refused()
    assert "received 2" in refused(a=SimpleUploadedFile("a.zip", b"1"), b=SimpleUploadedFile("b.zip", b"1"))
    assert "unknown attribute x" in refused(a=SimpleUploadedFile("a.zip", b"1"), x="1")
    assert operator.post("/api/v1/programs", "{}", content_type="application/json").status_code in (400, 415)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"entry": "nothing"}, "no entry point 'nothing'; it has count, plain"),
        ({"entry": "count"}, "needs the argument --out"),
        ({"entry": "plain", "arguments": ["--a", "1"]}, "takes no argument '--a'"),
        ({"entry": "plain", "parallelism": 0}, "1"),
        ({"entry": "plain", "parallelism": 2_000_000}, "limit 'tasks'"),
        ({"odd": 1}, ""),
    ],
)
@pytest.mark.parametrize("route", ["plan", "run"])
def test_an_odd_call_is_a_400(upload: Upload, operator: Client, route: str, call: dict[str, Any], reason: str) -> None:
    upload()
    answer = operator.post(f"/api/v1/programs/count.zip/{route}", call, content_type="application/json")
    assert answer.status_code == 400
    assert reason in answer.content.decode()
    assert not Job.objects.exists()


def test_a_program_without_entry_points_cannot_be_run(upload: Upload, operator: Client) -> None:
    upload("plain.zip", zipped({"a": ""}))
    answer = operator.post("/api/v1/programs/plain.zip/run", content_type="application/json")
    assert (answer.status_code, "it has none" in answer.content.decode()) == (400, True)


def test_a_plan_is_drawn(upload: Upload, viewer: Client) -> None:
    upload()
    drawn = viewer.get("/api/v1/programs/count.zip/plan.svg?entry=plain")
    assert (drawn.status_code, drawn["Content-Type"]) == (200, "image/svg+xml")
    assert b"only" in drawn.content


def test_a_jar_is_one_stage_of_java_on_nodes_that_have_it(upload: Upload, operator: Client) -> None:
    manifest = "Main-Class: org.example.Main\n"
    upload("a.jar", zipped({"META-INF/MANIFEST.MF": manifest, "org/example/Main.class": "x", "Other.class": "x"}))

    def command(**call: Any) -> Any:
        answer = operator.post("/api/v1/programs/a.jar/plan", call, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()["description"]

    told = command(arguments=["x y"], parallelism=2)
    stage = told["stages"][0]
    assert (stage["command"], stage["parallelism"]) == (["java", "-cp", "a.jar", "org.example.Main", "x y"], 2)
    assert (told["constraints"][0]["label"], stage["program"]["unpacked"]) == ("java", False)
    assert command(entry="Other.class")["stages"][0]["command"][3] == "Other"
    missing = operator.post("/api/v1/programs/a.jar/plan", {"entry": "None"}, content_type="application/json")
    assert missing.status_code == 400


def test_a_description_cannot_name_what_is_not_stored(operator: Client, kept: Storage) -> None:
    job = {"name": "j", "stages": [{"name": "s", "command": ["true"], "program": {"digest": "0" * 64, "name": "a.zip"}}]}
    answer = operator.post("/api/v1/jobs", job, content_type="application/json")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "stages[0].program")
    assert not Job.objects.exists()
    assert not Reference.objects.exists()


def test_viewers_read_only(viewer: Client) -> None:
    assert viewer.post("/api/v1/programs", {"file": io.BytesIO(b"1")}).status_code == 403
    assert viewer.delete("/api/v1/programs/a.zip").status_code == 403
