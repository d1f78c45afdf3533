"""A client of Scale against a whole stack, by the paths of its documentation, without a token on the open loopback."""

import time
from typing import Any

import httpx
import pytest

from switchyard import Client, Job
from tests.switchyard.stacks import Running
from tests.wires.scale.test_status import check_resources

TYPE = "counted"
pytestmark = pytest.mark.timeout(240)


def status_with(url: str, count: int) -> dict[str, Any]:
    """Return the status once so many attempts completed; the leader surveys every few seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = httpx.get(f"{url}/v6/status/")
        if answer.status_code == 200 and completed(answer.json()) >= count:
            return dict(answer.json())
        time.sleep(0.2)
    raise AssertionError(f"there are no {count} completed attempts after 30 s")


def completed(status: dict[str, Any]) -> int:
    """Count what completed of this test's own type: the stack has run other tests' jobs."""
    own = {kind["id"] for kind in status["job_types"] if kind["name"] == TYPE}
    counts = [each for node in status["nodes"] for each in node["job_executions"]["completed"]["by_job_type"]]
    return sum(each["count"] for each in counts if each["job_type_id"] in own)


def test_a_job_is_counted_and_the_scheduler_paused(whole_stack: Running) -> None:
    url = whole_stack.url
    job = Job("real", type=TYPE)
    job.stage("only", python="time:time", parallelism=3)
    with Client(url, whole_stack.token) as client:
        job.submit(client).wait(timeout=90)
    status = status_with(url, 3)
    assert completed(status) == 3
    check_resources(status)
    assert [(node["state"]["name"], len(node["system_tasks"])) for node in status["nodes"]] == [("READY", 1)]
    assert httpx.patch(f"{url}/scheduler/", json={"is_paused": True}).status_code == 201
    try:
        assert httpx.get(f"{url}/v6/status/").json()["scheduler"]["state"]["name"] == "PAUSED"
    finally:
        assert httpx.patch(f"{url}/v6/scheduler/", json={"is_paused": False}).status_code == 204
    assert httpx.get(f"{url}/status/").json()["scheduler"]["is_paused"] is False
