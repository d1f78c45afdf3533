"""Jobs in Flink's words: times, counts, what was read and written, what was added up, why they failed, how they end."""

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from access.models import AuditEntry
from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Task
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.wires.flink.test_recorded import recorded

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]
Submit = Callable[..., dict[str, Any]]
DESCRIBED = json.dumps({"name": "sent", "stages": [{"name": "a", "command": ["true"]}]}).encode()
UNKNOWN = "0" * 32


def test_a_job_that_waits_has_begun_with_its_submission_and_its_vertices_have_not(told: Told, submit: Submit) -> None:
    made = submit({"a": {"parallelism": 3}})
    job = told(f"/jobs/{made['id']}")
    assert (job["state"], job["end-time"], job["timestamps"]["RUNNING"]) == ("CREATED", -1, 0)
    assert job["start-time"] == job["timestamps"]["CREATED"] <= job["now"]
    assert job["duration"] == job["now"] - job["start-time"]
    (vertex,) = job["vertices"]
    assert (vertex["status"], vertex["start-time"], vertex["end-time"], vertex["duration"]) == ("CREATED", -1, -1, -1)
    assert vertex["tasks"]["CREATED"] == 3
    assert vertex["metrics"]["read-bytes-complete"] is True
    assert job["status-counts"]["CREATED"] == 1


def test_a_running_job_sums_up_what_its_tasks_told(told: Told, running: Ids) -> None:
    job = told(f"/jobs/{running['job']}")
    read, write = job["vertices"]
    assert (job["state"], job["timestamps"]["RUNNING"] > 0) == ("RUNNING", True)
    assert (read["status"], read["tasks"]["RUNNING"], read["end-time"]) == ("RUNNING", 2, -1)
    assert {name: value for name, value in read["metrics"].items() if not name.endswith("complete")} == {
        "read-bytes": 20,
        "write-bytes": 40,
        "read-records": 6,
        "write-records": 8,
    }
    assert read["metrics"]["read-bytes-complete"] is True
    assert job["status-counts"] | {"RUNNING": 1, "CREATED": 1} == job["status-counts"]
    assert (write["status"], write["start-time"]) == ("CREATED", -1)


def test_what_a_task_does_not_tell_is_not_complete(told: Told, running: Ids) -> None:
    Task.objects.filter(index=1).update(metrics={"read_bytes": "many", "progress": 1})
    read, _ = told(f"/jobs/{running['job']}")["vertices"]
    assert (read["metrics"]["read-bytes"], read["metrics"]["read-bytes-complete"]) == (10, False)


def test_what_a_task_that_has_ended_does_not_tell_is_complete(told: Told, running: Ids, finish: Callable[[], None]) -> None:
    finish()
    Task.objects.filter(index=1).update(metrics=None)
    Task.objects.filter(stage__name="write").update(metrics={"progress": 1})
    vertices = told(f"/jobs/{running['job']}")["vertices"]
    subtasks = told(f"/jobs/{running['job']}/vertices/{running['v0']}")["subtasks"]
    nodes = told(f"/jobs/{running['job']}/vertices/{running['v0']}/taskmanagers")["taskmanagers"]
    for each in (*vertices, *subtasks, *nodes):
        assert {value for name, value in each["metrics"].items() if name.endswith("complete")} == {True}
    assert vertices[0]["metrics"]["read-bytes"] == 10


@pytest.mark.parametrize("on_a_list", [False, True])
def test_a_job_that_is_canceled_before_a_task_began_never_ran(
    operator: Client, told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Callable[[], Any], on_a_list: bool
) -> None:
    job = submit({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})["id"]
    assert not on_a_list or placed()
    operator.patch(f"/jobs/{job}")
    turn(leader)
    turn(leader, agent.give_back(agent.tasks()))
    found = told(f"/jobs/{job}")
    assert (found["state"], found["timestamps"]["RUNNING"]) == ("CANCELED", 0)
    assert found["timestamps"]["CANCELED"] == found["end-time"] > 0
    for vertex in found["vertices"]:
        assert (vertex["status"], vertex["start-time"], vertex["end-time"], vertex["duration"]) == ("CANCELED", -1, -1, -1)


def test_the_overview_counts_tasks_by_the_states_of_old_and_new_releases(told: Told, running: Ids) -> None:
    (row,) = told("/v1/jobs/overview/")["jobs"]
    assert row["jid"] == running["job"]
    tasks = row["tasks"]
    assert (tasks["total"], tasks["running"]) == (3, 2)
    assert tasks["pending"] == tasks["created"] + tasks["scheduled"] == 1
    assert row["last-modification"] >= row["start-time"]


def test_a_graph_names_what_each_vertex_reads(told: Told, running: Ids) -> None:
    write, read = told(f"/jobs/{running['job']}/plan")["plan"]["nodes"]
    assert read["id"] == running["v0"]
    assert "inputs" not in read
    assert [(each["num"], each["id"], each["ship_strategy"]) for each in write["inputs"]] == [(0, read["id"], "BROADCAST")]
    assert told(f"/jobs/{running['job']}")["plan"]["nodes"] == [write, read]


def test_settings_are_texts(told: Told, submit: Submit) -> None:
    made = submit({"a": {}}, config={"colour": "green", "depth": {"a": [1]}})
    config = told(f"/jobs/{made['id']}/config")["execution-config"]
    assert config["user-config"] == {"colour": "green", "depth": '{"a": [1]}'}


def test_accumulators_are_summed_up_and_typed(told: Told, running: Ids) -> None:
    found = told(f"/jobs/{running['job']}/accumulators?includeSerializedValue=true")
    expected = [
        {"name": "letters", "type": "LongCounter", "value": "14"},
        {"name": "weight", "type": "DoubleCounter", "value": "3.0"},
    ]
    assert found["user-task-accumulators"] == expected
    vertex = told(f"/jobs/{running['job']}/vertices/{running['v0']}/accumulators")
    assert vertex == {"id": running["v0"], "user-accumulators": expected}


def test_accumulators_of_all_kinds_are_told_as_flink_does(told: Told, running: Ids) -> None:
    added = {"a": {"average": [5, 4]}, "b": {"histogram": {"10": 2, "9": 1}}, "c": {"int": 3}, "d": {"double": 2}}
    Task.objects.filter(index=0, stage__name="read").update(accumulators=added)
    Task.objects.filter(index=1, stage__name="read").update(
        accumulators={"a": {"average": [1, 4]}, "b": {"histogram": {"9": 4}}}
    )
    path = f"/jobs/{running['job']}/accumulators?includeSerializedValue=true"
    found = {each["name"]: (each["type"], each["value"]) for each in told(path)["user-task-accumulators"]}
    assert found == {
        "a": ("AverageAccumulator", "0.75"),
        "b": ("Histogram", "{9=5, 10=2}"),
        "c": ("IntCounter", "3"),
        "d": ("DoubleCounter", "2.0"),
    }
    first, _ = told(f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/accumulators")["subtasks"]
    assert [each["value"] for each in first["user-accumulators"]] == ["1.25", "{9=1, 10=2}", "3", "2.0"]


def test_what_is_no_number_is_no_accumulator(told: Told, running: Ids) -> None:
    Task.objects.filter(index=1).update(accumulators={"letters": "x", "weight": None})
    Task.objects.filter(index=0).update(accumulators=[1])
    assert told(f"/jobs/{running['job']}/accumulators")["user-task-accumulators"] == []


def test_a_failed_job_tells_why_and_where(told: Told, failed: Ids) -> None:
    found = told(f"/jobs/{failed['job']}/exceptions")
    assert "RuntimeError: boom" in found["root-exception"]
    assert found["timestamp"] > 0
    assert {(each["task"], each["location"]) for each in found["all-exceptions"]} == {
        ("read (1/2)", "n1:0"),
        ("read (2/2)", "n1:0"),
    }
    result = told(f"/jobs/{failed['job']}/execution-result")["job-execution-result"]
    assert (result["application-status"], "RuntimeError: boom" in result["failure-cause"]["stack-trace"]) == ("FAILED", True)


def test_at_most_twenty_failures_are_shown(told: Told, failed: Ids) -> None:
    stage = int(failed["v0"], 16)
    older = [Attempt(stage_id=stage, index=0, attempt=n, state=TaskState.FAILED, error=f"no {n}") for n in range(30, 60)]
    Attempt.objects.bulk_create(older)
    Task.objects.filter(stage=stage, index=0).update(attempt=60)
    found = told(f"/jobs/{failed['job']}/exceptions")
    assert (len(found["all-exceptions"]), found["truncated"]) == (20, True)
    assert found["all-exceptions"][0]["exception"] == "RuntimeError: boom"


def test_a_result_is_in_progress_until_the_job_has_ended(told: Told, running: Ids, finish: Callable[[], None]) -> None:
    path = f"/jobs/{running['job']}/execution-result"
    assert told(path) == {"status": {"id": "IN_PROGRESS"}}
    finish()
    ended = told(path)
    assert ended["status"] == {"id": "COMPLETED"}
    assert ended["job-execution-result"]["application-status"] == "SUCCEEDED"
    assert "failure-cause" not in ended["job-execution-result"]


def test_the_overview_of_the_cluster_counts_slots_and_jobs(
    told: Told, operator: Client, running: Ids, submit: Submit, leader: Leader
) -> None:
    operator.patch(f"/jobs/{submit({'a': {}})['id']}")
    turn(leader)
    found = told("/overview")
    assert (found["taskmanagers"], found["slots-total"], found["slots-available"]) == (1, 2, 0)
    assert (found["jobs-running"], found["jobs-cancelled"], found["jobs-finished"]) == (1, 1, 0)
    assert found["flink-version"] == "1.5.0"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/jobs/{job}"),
        ("PATCH", "/jobs/{job}?mode=cancel"),
        ("GET", "/jobs/{job}/yarn-cancel"),
        ("GET", "/v1/jobs/{job}/cancel/"),
        ("DELETE", "/jobs/{job}/cancel"),
    ],
)
def test_each_way_to_cancel_cancels(operator: Client, submit: Submit, method: str, path: str) -> None:
    made = submit({"a": {}})
    answer = operator.generic(method, path.format(job=made["id"].upper()))
    assert (answer.status_code, answer.json()) == (202, {})
    assert Job.objects.get().state == JobState.CANCELING
    assert AuditEntry.objects.filter(action="job.cancel", target=made["id"]).count() == 1


@pytest.mark.parametrize("path", ["/jobs/{job}/yarn-cancel", "/jobs/{job}/cancel"])
def test_a_head_changes_nothing(operator: Client, viewer: Client, submit: Submit, path: str) -> None:
    made = submit({"a": {}})
    assert operator.head(path.format(job=made["id"])).status_code == 404
    assert viewer.get(path.format(job=made["id"])).status_code == 403
    assert Job.objects.get().state == JobState.CREATED


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/jobs/{job}?mode=stop"),
        ("GET", "/jobs/{job}/yarn-stop"),
        ("GET", "/jobs/{job}/stop"),
        ("DELETE", "/jobs/{job}/stop"),
    ],
)
def test_each_way_to_stop_lets_a_job_drain(operator: Client, told: Told, submit: Submit, method: str, path: str) -> None:
    made = submit({"a": {}})
    assert told(f"/jobs/{made['id']}")["isStoppable"] is True
    answer = operator.generic(method, path.format(job=made["id"]))
    assert (answer.status_code, answer.json()) == (202, {})
    assert operator.generic(method, path.format(job=UNKNOWN)).status_code == 404
    assert Job.objects.get().draining
    assert AuditEntry.objects.filter(action="job.drain", target=made["id"]).count() == 1


def test_a_stopped_job_ends_finished_with_what_had_begun(
    operator: Client, told: Told, running: Ids, finish: Callable[[], None]
) -> None:
    assert operator.patch(f"/jobs/{running['job']}?mode=stop").status_code == 202
    assert told(f"/jobs/{running['job']}")["state"] == "RUNNING"
    finish()
    assert told(f"/jobs/{running['job']}")["state"] == "FINISHED"
    assert operator.patch(f"/jobs/{running['job']}?mode=stop").status_code == 404


def test_a_job_that_is_being_canceled_is_not_stoppable(operator: Client, told: Told, running: Ids) -> None:
    operator.patch(f"/jobs/{running['job']}")
    assert told(f"/jobs/{running['job']}")["isStoppable"] is False
    answer = operator.patch(f"/jobs/{running['job']}?mode=stop")
    assert (answer.status_code, list(answer.json())) == (409, ["errors"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/xyz", 400),
        ("/jobs/{job}/vertices/xyz", 400),
        ("/jobs/{job}/vertices/" + UNKNOWN, 404),
        ("/jobs/{job}/vertices/" + "f" * 32, 404),
        ("/jobs/{job}/vertices/" + UNKNOWN + "/backpressure", 404),
        ("/jobs/{job}/vertices/{v0}/subtasks/-1", 400),
        ("/jobs/{job}/vertices/{v0}/subtasks/2", 404),
        ("/jobs/{job}/vertices/{v0}/subtasks/9999999999", 404),
        ("/jobs/{job}/vertices/{v0}/subtasks/0/attempts/7", 404),
        ("/jobs/{job}/vertices/{v0}/subtasks/0/attempts/x", 400),
        ("/jobs/" + UNKNOWN + "/checkpoints", 404),
        ("/jobs/" + UNKNOWN + "/checkpoints/config", 404),
        ("/jobs/{job}/checkpoints/details/99999", 404),
        ("/jobs/{job}/checkpoints/details/9999999999", 404),
        ("/jobs/{job}/checkpoints/details/x", 400),
        ("/jobs/{job}/checkpoints/details/1/subtasks/{v0}", 404),
        ("/jobs/{job}/checkpoints/details/1/subtasks/xyz", 400),
        ("/jobs/{job}/savepoints/" + UNKNOWN, 404),
        ("/jobs/{job}/savepoints/xyz", 400),
        ("/savepoint-disposal/" + UNKNOWN, 404),
        ("/savepoint-disposal/1", 400),
        ("/jobs/" + UNKNOWN + "/execution-result", 404),
        ("/taskmanagers/localhost:1-a", 404),
        ("/v2/jobs", 404),
        ("/v1/nowhere", 404),
    ],
)
def test_what_cannot_be_answered_says_so(viewer: Client, running: Ids, path: str, status: int) -> None:
    answer = viewer.get(path.format(**running))
    assert answer.status_code == status
    if not path.startswith("/v2"):
        assert [type(text) for text in answer.json()["errors"]] == [str]


def test_an_unknown_mode_is_refused(operator: Client, submit: Submit) -> None:
    assert operator.patch(f"/jobs/{submit({'a': {}})['id']}?mode=bogus").status_code == 400


def test_a_wrong_verb_leads_nowhere_as_recorded(viewer: Client) -> None:
    answer = viewer.put("/jobs")
    assert (answer.status_code, answer.json()) == (404, recorded("err_method")["body"])


def sent(**files: bytes) -> dict[str, Any]:
    """Return files as a form sends them, each named as its field."""
    return {name: SimpleUploadedFile(f"{name}.json", content) for name, content in files.items()}


def test_a_job_is_submitted_as_a_file_that_the_request_names(operator: Client, told: Told) -> None:
    request = json.dumps({"jobGraphFileName": "file_1.json", "jobJarFileNames": []})
    answer = operator.post("/v1/jobs", {"request": request, **sent(file_0=b"{", file_1=DESCRIBED)})
    assert answer.status_code == 202, answer.content
    (url,) = answer.json().values()
    assert told(url)["name"] == "sent"
    assert AuditEntry.objects.filter(action="job.submit").count() == 1


def test_a_request_that_is_a_file_itself_counts_too(operator: Client) -> None:
    request = b'{"jobGraphFileName": "file_0.json"}'
    assert operator.post("/jobs", sent(request=request, file_0=DESCRIBED)).status_code == 202
    assert operator.post("/jobs", sent(file_0=DESCRIBED)).status_code == 202


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"request": "{}"},
        {"request": '{"jobGraphFileName": "none"}', **sent(file_0=DESCRIBED)},
        {"request": '{"jobGraphFileName": 1}', **sent(file_0=DESCRIBED)},
        {"request": '{"jobGraphFileName": "file_0.json", "jobJarFileNames": "a"}', **sent(file_0=DESCRIBED)},
        {"request": '{"jobGraphFileName": "file_0.json", "unknown": []}', **sent(file_0=DESCRIBED)},
        {"request": "{", **sent(file_0=DESCRIBED)},
        sent(file_0=b'{"name": 1}'),
        sent(file_0=b"\xff"),
        sent(file_0=DESCRIBED, file_1=DESCRIBED),
    ],
)
def test_what_describes_no_job_is_refused(operator: Client, form: dict[str, Any]) -> None:
    assert operator.post("/jobs", form).status_code == 400
    assert not Job.objects.exists()


def test_a_client_that_waits_may_say_so(operator: Client, viewer: Client, submit: Submit) -> None:
    path = f"/jobs/{submit({'a': {}})['id']}/clientHeartbeat"
    answer = operator.patch(path, b'{"expiredTimestamp": 1795721647175}', content_type="application/json")
    assert (answer.status_code, answer.json()) == (202, {})
    for body in (b"", b"{", b"[]", b'{"expiredTimestamp": "x"}', b'{"expiredTimestamp": 1, "more": 1}'):
        assert operator.patch(path, body).status_code == 400, body
    assert viewer.patch(path).status_code == 403
    assert operator.patch(f"/jobs/{UNKNOWN}/clientHeartbeat", b'{"expiredTimestamp": 1}').status_code == 404


def test_a_job_has_the_scheduler_of_all(told: Told, viewer: Client, running: Ids) -> None:
    job = f"/jobs/{running['job']}"
    assert told(f"{job}/jobmanager/config") == told("/jobmanager/config")
    assert told(f"/v1{job}/jobmanager/environment/") == told("/jobmanager/environment")
    assert viewer.get(told(f"{job}/jobmanager/log-url")["url"]).status_code == 200
    url = told(f"{job}/taskmanagers/{running['node']}/log-url")["url"]
    assert viewer.get(url).content == viewer.get(f"/taskmanagers/{running['node']}/log").content != b""
    assert told(f"{job}/vertices/{running['v0']}/jm-operator-metrics") == []
    for path in ("jobmanager/config", "jobmanager/environment", "jobmanager/log-url"):
        assert viewer.get(f"/jobs/{UNKNOWN}/{path}").status_code == 404
    assert viewer.get(f"{job}/taskmanagers/{UNKNOWN}/log-url").status_code == 404


def test_the_revision_reads_well_in_a_header(told: Told) -> None:
    assert told("/config")["flink-revision"] == f"Switchyard {version('switchyard')}"


def test_a_viewer_submits_nothing(viewer: Client) -> None:
    assert viewer.post("/jobs", sent(file_0=DESCRIBED)).status_code == 403
