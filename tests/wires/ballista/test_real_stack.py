"""A client of Ballista against a whole stack, by the paths of its documentation, without a token on the open loopback."""

import httpx
import pytest

from switchyard import Client, Job
from tests.switchyard.stacks import Running
from tests.wires.ballista.decoders import SHAPES

pytestmark = pytest.mark.timeout(240)


def ask(stack: Running, route: str, **names: str) -> httpx.Response:
    answer = httpx.get(stack.url + route.format(**names), headers={"Accept": "application/json"}, follow_redirects=False)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_job_is_followed_to_its_end_and_another_canceled(whole_stack: Running) -> None:
    job = Job("real")
    job.stage("last", command=["true"], needs=[job.stage("first", python="time:time", parallelism=3)])
    with Client(whole_stack.url, whole_stack.token) as client:
        id_ = str(job.submit(client).wait(timeout=90).id)
    (executor,) = ask(whole_stack, "/api/executors").json()
    for route, shape in SHAPES.items():
        named = route.replace("n1", executor["id"])
        shape.validate_json(ask(whole_stack, named, id=id_).content)
    told = ask(whole_stack, "/api/job/{id}", id=id_).json()
    assert (told["status"], told["percent_complete"]) == ("Completed", 100)
    assert told["job_status"].startswith("Completed. Produced 1 partition containing 1 row. Elapsed time: ")
    assert {each["type"]: each["value"] for each in executor["metrics"]}["proc_physical_memory"] > 0
    assert executor["os_info"]["kernel_ver"]
    assert ask(whole_stack, "/api/job/{id}/dot_svg", id=id_).headers["Content-Type"] == "image/svg+xml"


def test_a_running_job_is_canceled_without_a_body(whole_stack: Running) -> None:
    job = Job("endless")
    job.stage("wait", command=["sleep", "1000"], grace=0.5)
    with Client(whole_stack.url, whole_stack.token) as client:
        submitted = job.submit(client)
        answer = httpx.patch(f"{whole_stack.url}/api/job/{submitted.id}")
        assert (answer.status_code, answer.json()) == (200, {"cancelled": True, "canceled": True})
        assert submitted.wait(timeout=90).state == "CANCELED"
    assert ask(whole_stack, f"/api/job/{submitted.id}").json()["job_status"] == "Failed: Cancelled"
    assert httpx.patch(f"{whole_stack.url}/api/job/{submitted.id}").status_code == 409
