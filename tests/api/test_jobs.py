"""Jobs over the API: submitted once, found again, refused with reasons."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from jobs.models import Job

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
YAML = "name: hello\nstages:\n- {name: a, python: 'bench.callables:square', parallelism: 3}\n"


def post(client: Client, body: Any, content_type: str = "application/json", **headers: str) -> Any:
    return client.post("/api/v1/jobs", body, content_type=content_type, headers=headers)


def errors(answer: Any) -> dict[str | None, str]:
    return {error["attr"]: error["detail"] for error in answer.json()["errors"]}


def test_submitted_yaml_is_a_job_at_its_location(operator: Client) -> None:
    answer = post(operator, YAML, "application/yaml")
    assert answer.status_code == 201
    shown = operator.get(answer["Location"]).json()
    assert shown["id"] == answer.json()["id"]
    assert (shown["name"], shown["owner"], shown["state"]) == ("hello", "operator", "CREATED")
    assert shown["tasks"] == {**dict.fromkeys(shown["tasks"], 0), "CREATED": 3, "total": 3}
    assert [stage["name"] for stage in shown["stages"]] == ["a"]


def test_owner_is_who_the_description_names(operator: Client) -> None:
    submitted = post(operator, YAML + "owner: ada\n", "application/yaml").json()
    post(operator, YAML, "application/yaml")
    found = operator.get("/api/v1/jobs?owner=ada").json()["results"]
    assert [(job["id"], job["owner"]) for job in found] == [(submitted["id"], "ada")]
    assert submitted["owner"] == operator.get(f"/api/v1/jobs/{submitted['id']}/summary").json()["owner"] == "ada"
    assert len(operator.get("/api/v1/jobs?owner=operator").json()["results"]) == 1


def test_same_key_gives_the_same_job(operator: Client) -> None:
    first, second = (post(operator, YAML, "application/yaml", **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert Job.objects.count() == 1


def test_same_key_with_the_same_said_otherwise_gives_the_same_job(operator: Client) -> None:
    described = {"stages": [{"parallelism": 3, "python": "bench.callables:square", "name": "a"}], "name": "hello"}
    first = post(operator, YAML, "application/yaml", **{"Idempotency-Key": "k"})
    second = post(operator, described, **{"Idempotency-Key": "k"})
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])


def test_same_key_with_another_description_is_refused(operator: Client) -> None:
    post(operator, YAML, "application/yaml", **{"Idempotency-Key": "k"})
    answer = post(operator, YAML.replace("parallelism: 3", "parallelism: 4"), "application/yaml", **{"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["errors"][0]["detail"]
    assert Job.objects.count() == 1


def test_same_key_of_another_owner_gives_another_job(operator: Client, admin: Client) -> None:
    made = {post(client, YAML, "application/yaml", **{"Idempotency-Key": "k"}).json()["id"] for client in (operator, admin)}
    assert len(made) == 2


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_key_must_be_of_a_sane_length(operator: Client, key: str) -> None:
    answer = post(operator, YAML, "application/yaml", **{"Idempotency-Key": key})
    assert answer.status_code == 400
    assert "Idempotency-Key" in errors(answer)


def test_each_fault_of_a_description_names_its_field(operator: Client) -> None:
    answer = post(operator, {"name": "x", "stages": [{"name": "a", "comand": ["ls"]}], "priority": "high"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "validation_error"
    assert {"stages[0].comand", "priority"} <= set(errors(answer))
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"a: &a [*a]", "application/yaml", 400),
        (b"x" * (9 * 1024 * 1024), "application/json", 413),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"<job/>", "application/xml", 415),
    ],
)
def test_body_that_is_no_description_is_refused(operator: Client, body: bytes, content_type: str, status: int) -> None:
    answer = post(operator, body, content_type)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["detail"]


def test_nul_in_a_name_is_refused_by_field(operator: Client) -> None:
    answer = post(operator, {"name": "a\x00b", "stages": [{"name": "a", "command": ["ls"]}]})
    assert answer.status_code == 400
    assert "name" in errors(answer)


def test_body_over_the_limit_is_refused_unread(operator: Client, settings: Any) -> None:
    settings.LARGEST_BODY = 100
    assert post(operator, b"x" * 101).status_code == 413


def test_job_is_found_by_number_too(viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    assert viewer.get(f"/api/v1/jobs/{job['number']}/").json()["id"] == job["id"]


@pytest.mark.parametrize("key", [str(UUID(int=7)), "1" * 40, "99999", "abc", "%00", "٣", "-1", "0x1"])
@pytest.mark.parametrize("rest", ["", "/stages", "/tasks", "/explain", "/results", "/dag.svg"])
def test_unknown_job_is_not_found(viewer: Client, key: str, rest: str) -> None:
    answer = viewer.get(f"/api/v1/jobs/{key}{rest}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "client_error"


def test_list_is_newest_first_and_pages(viewer: Client, submit: Submit) -> None:
    numbers = [submit({"a": {}})["number"] for _ in range(3)]
    first = viewer.get("/api/v1/jobs?limit=2").json()
    second = viewer.get(first["next"]).json()
    found = [job["number"] for job in first["results"] + second["results"]]
    assert found == numbers[::-1]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=RED", ["red"]),
        ("state=CREATED&state=RUNNING", ["blue", "red"]),
        ("state=FINISHED", []),
        ("owner=operator", ["blue", "red"]),
        ("owner=viewer", []),
        ("name=blue", ["blue"]),
        ("type=job", ["blue", "red"]),
        ("created_after=2000-01-01T00:00:00Z", ["blue", "red"]),
        ("created_before=2000-01-01T00:00:00Z", []),
        ("created_after=2000-01-01T00:00:00+00:00", ["blue", "red"]),
        ("created_after=2000-01-01T00:00:00%2B00:00", ["blue", "red"]),
        ("created_before=2000-01-01T00:00:00.5+0200", []),
    ],
)
def test_list_is_narrowed(viewer: Client, submit: Submit, query: str, names: list[str]) -> None:
    submit({"a": {}}, name="red")
    submit({"a": {}}, name="blue")
    assert [job["name"] for job in viewer.get(f"/api/v1/jobs?{query}").json()["results"]] == names


def test_search_finds_a_job_by_its_number(viewer: Client, submit: Submit) -> None:
    submit({"a": {}})
    job = submit({"a": {}})
    found = viewer.get(f"/api/v1/jobs?search={job['number']}").json()["results"]
    assert [each["id"] for each in found] == [job["id"]]


@pytest.mark.parametrize(
    "query",
    [
        "state=LOST",
        "created_after=yesterday",
        "created_before=9999-12-31T23:59:59-20:00",
        "created_after=0001-01-01T00:00%2B20:00",
    ],
)
def test_filter_that_cannot_be_read_is_refused(viewer: Client, query: str) -> None:
    answer = viewer.get(f"/api/v1/jobs?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in errors(answer)


def test_times_in_any_zone_are_compared(viewer: Client, submit: Submit) -> None:
    submit({"a": {}})
    assert len(viewer.get("/api/v1/jobs?created_after=0465-06-03T22:44:42-17:38").json()["results"]) == 1


@pytest.mark.parametrize("position", ["p=abc", "p=%00", "p=1e99", "o=-1&p=1", "p=99999999999999999999", "o=x"])
@pytest.mark.parametrize("path", ["jobs", "nodes", "job-types", "events"])
def test_cursor_that_we_did_not_make_is_refused_if_it_leads_nowhere(viewer: Client, path: str, position: str) -> None:
    cursor = base64.b64encode(position.encode()).decode()
    answer = viewer.get(f"/api/v1/{path}?cursor={cursor}")
    assert answer.status_code == 200 or (answer.status_code, *errors(answer)) == (400, "cursor")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("jobs?limit=abc", "limit"),
        ("jobs?limit=0", "limit"),
        ("jobs?limit=-1", "limit"),
        ("jobs?limit=", "limit"),
        ("jobs?offset=-1", "offset"),
        ("jobs?stat=RUNNING", "stat"),
        ("jobs/1?full=1", "full"),
        ("jobs/1/tasks?limit=many", "limit"),
        ("jobs/1/tasks?states=RUNNING", "states"),
        ("jobs/1/tasks?cursor=x", "cursor"),
        ("jobs/1/stages?limit=many", "limit"),
        ("jobs/1/stages/a/tasks?stage=a", "stage"),
        ("jobs/1/stages/a/tasks/0/logs/stdout?offset=-1", "offset"),
        ("jobs/1/stages/a/tasks/0/logs/stdout?lines=7", "lines"),
        ("nodes?name=n1", "name"),
        ("scheduler?verbose=1", "verbose"),
        ("events?job=99", "job"),
        ("events?node=nobody", "node"),
        ("me?token=x", "token"),
        ("?limit=1", "limit"),
    ],
)
def test_parameter_that_is_not_known_or_cannot_be_read_is_refused_by_name(
    viewer: Client, submit: Submit, path: str, name: str
) -> None:
    number = submit({"a": {}})["number"]
    answer = viewer.get(f"/api/v1/{path.replace('jobs/1', f'jobs/{number}')}")
    assert (answer.status_code, *errors(answer)) == (400, name)


def test_parameter_of_a_change_is_refused_and_nothing_changes(operator: Client, submit: Submit) -> None:
    number = submit({"a": {}})["number"]
    assert operator.post(f"/api/v1/jobs/{number}/cancel?force=1").status_code == 400
    assert operator.get(f"/api/v1/jobs/{number}").json()["state"] == "CREATED"


@pytest.mark.parametrize("query", ["search=%00", "owner=a%0ab", "search=%ff", "cursor=%ed%a0%80"])
def test_control_characters_in_a_query_are_refused(viewer: Client, query: str) -> None:
    assert viewer.get(f"/api/v1/jobs?{query}").status_code == 400


def test_list_costs_the_same_number_of_queries_however_long(
    viewer: Client, submit: Submit, statements: Callable[[Client, str], int]
) -> None:
    submit({"a": {}})
    one = statements(viewer, "/api/v1/jobs")
    for _ in range(4):
        submit({"a": {}, "b": {"needs": ["a"]}})
    assert statements(viewer, "/api/v1/jobs") == one


def test_job_costs_the_same_number_of_queries_however_large(
    viewer: Client, submit: Submit, statements: Callable[[Client, str], int]
) -> None:
    small = submit({"a": {}})
    large = submit({name: {"parallelism": 5} for name in "abcdefgh"})
    assert statements(viewer, f"/api/v1/jobs/{small['id']}") == statements(viewer, f"/api/v1/jobs/{large['id']}")


def test_job_of_one_million_million_cpus_is_accepted_and_flagged(submit: Submit, agent: object) -> None:
    job = submit({"a": {"resources": {"cpus": 1_000_000}}})
    assert [each["stage"] for each in job["infeasible"]] == ["a"]
    assert "Nearest is" in job["infeasible"][0]["reason"]


def test_browser_gets_a_page(viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    answer = viewer.get(f"/api/v1/jobs/{job['id']}", headers={"Accept": "text/html"})
    assert answer["Content-Type"].startswith("text/html")
    assert job["id"].encode() in answer.content


def test_summary_is_what_lists_show_and_small_however_large_the_job(
    viewer: Client, submit: Submit, statements: Callable[[Client, str], int]
) -> None:
    job = submit({f"s{number}": {} for number in range(200)}, config={"long": "x" * 10_000})
    shown = viewer.get(f"/api/v1/jobs/{job['number']}/summary")
    assert shown.json() == viewer.get("/api/v1/jobs").json()["results"][0]
    assert len(shown.content) < 1500
    assert statements(viewer, f"/api/v1/jobs/{job['id']}/summary") <= 5
