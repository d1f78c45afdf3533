"""The client against a real stack: what it asks, what it is told, and what it does when it is refused."""

import re
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from switchyard import Client, Job, JobFailed, Refused, Unreachable
from switchyard.configuration import Server
from switchyard.http import Requests
from tests.switchyard.stacks import Running

pytestmark = pytest.mark.timeout(240)


def quick(name: str = "quick") -> Job:
    """Describe a job of three tasks and one that needs them."""
    job = Job(name, labels={"made": "by-test"})
    first = job.stage("first", python="time:time", parallelism=3)
    job.stage("last", command=["true"], needs=[first])
    return job


def endless(name: str = "endless") -> Job:
    """Describe a job that ends only when it is canceled."""
    job = Job(name)
    job.stage("wait", command=["sleep", "1000"], grace=0.5)
    return job


def test_submitted_job_is_watched_to_its_end(client: Client) -> None:
    submitted = quick().submit(client)
    seen = list(submitted.watch())
    assert all(before != after for before, after in pairwise(seen))
    assert (seen[-1].state, seen[-1].progress, seen[-1].has_ended) == ("FINISHED", 1.0, True)
    assert [(stage.name, stage.ended, stage.parallelism) for stage in seen[-1].stages] == [("first", 3, 3), ("last", 1, 1)]
    assert len(client.stage_results(submitted.id, "first").results) == 3
    assert list(submitted.results()) == ["last"]


def test_same_key_gives_the_same_job(client: Client) -> None:
    first, again = (quick().submit(client, idempotency_key="once") for _ in range(2))
    assert first.id == again.id
    assert quick().submit(client).id != first.id


def test_wait_gives_up_after_its_timeout_and_cancel_ends_the_job(client: Client) -> None:
    submitted = endless().submit(client)
    with pytest.raises(TimeoutError, match=f"job {submitted.number} is still"):
        submitted.wait(timeout=0.2)
    submitted.cancel()
    assert submitted.wait(timeout=60).state == "CANCELED"
    with pytest.raises(JobFailed, match="CANCELED"):
        submitted.results()


def test_failed_task_tells_why(client: Client) -> None:
    job = Job("failing", max_failures=0)
    job.stage("fail", command=["sh", "-c", "exit 7"])
    submitted = job.submit(client)
    assert submitted.wait(timeout=60).state == "FAILED"
    [task] = client.tasks(submitted.number, state="FAILED")
    assert (task.stage, task.index, task.exit_code) == ("fail", 0, 7)
    assert client.task(submitted.number, "fail", 0).attempts[-1].exit_code == 7
    again = client.retry(submitted.number)
    assert again.retried_from == submitted.id
    once, twice = (client.retry(submitted.number, idempotency_key="retried once") for _ in range(2))
    assert once.id == twice.id != again.id


def test_lists_go_on_from_page_to_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchyard.http.PAGE", 2)
    made = [quick(f"paged {at}").submit(client).number for at in range(5)]
    found = [job.number for job in client.jobs(search="paged")]
    assert found == sorted(made, reverse=True)
    assert [job.number for job in client.jobs(search="paged", limit=3)] == found[:3]


def test_paused_scheduler_explains_a_job_and_resumed_one_runs_it(client: Client) -> None:
    client.pause("tea")
    try:
        submitted = quick().submit(client)
        reasons = [reason for stage in client.explain(submitted.number).stages for reason in stage.reasons]
        assert "The scheduler is paused: tea." in reasons
    finally:
        client.resume()
    assert submitted.wait(timeout=60).is_finished


def test_node_is_drained_and_resumed(client: Client) -> None:
    [node] = client.nodes()
    assert node.resources["cpus"].total == 2000
    assert client.drain_node(node.name, "disk").draining
    assert client.resume_node(node.id).state == "READY"
    assert client.scheduler().leader.alive


def test_what_the_server_refuses_says_what(client: Client, stack: Running) -> None:
    with pytest.raises(Refused, match=r"There is no job 999999\.") as caught:
        client.job(999_999)
    assert caught.value.status == 404
    with Client(stack.url, "wrong") as stranger, pytest.raises(Refused, match="The token is not valid") as caught:
        stranger.job(1)
    assert caught.value.status == 401


def test_ended_job_can_be_deleted_and_a_live_one_not(client: Client) -> None:
    submitted = quick().submit(client)
    submitted.wait(timeout=60)
    client.delete(submitted.number)
    with pytest.raises(Refused):
        submitted.status()
    live = endless().submit(client)
    with pytest.raises(Refused) as caught:
        client.delete(live.number)
    assert caught.value.status == 409
    live.cancel()


def test_read_is_repeated_while_the_server_is_away(stack: Running) -> None:
    with cut_off(stack, times=2) as (port, connections), Client(f"http://127.0.0.1:{port}", stack.token) as client:
        assert client.scheduler().state
        assert len(connections) == 3


def test_what_may_not_be_done_twice_is_not_repeated(stack: Running) -> None:
    with cut_off(stack, times=1) as (port, connections), Client(f"http://127.0.0.1:{port}", stack.token) as client:
        with pytest.raises(Unreachable, match="does not answer"):
            client.retry(1)
        assert len(connections) == 1


def test_submission_whose_answer_was_lost_is_repeated_and_makes_one_job(stack: Running, client: Client) -> None:
    with (
        cut_off(stack, times=1, after_request=True) as (port, connections),
        Client(f"http://127.0.0.1:{port}", stack.token) as cut,
    ):
        quick("lost answer").submit(cut)
        assert len(connections) == 2
    assert len(list(client.jobs(search="lost answer"))) == 1


def test_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    requests = Requests(Server(f"http://127.0.0.1:{port}"))
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} does not answer") as raised:
        requests.send("GET", "jobs", patience=0.0)
    assert "httpx" not in "".join(traceback.format_exception(raised.value)), "what a user sees is the sentence"
    requests.close()


@contextmanager
def cut_off(stack: Running, *, times: int, after_request: bool = False) -> Iterator[tuple[int, list[int]]]:
    """Stand between client and server, and cut the first connections: at once, or when the server has answered."""
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_serve, args=(door, stack, times, after_request, connections), daemon=True).start()
        yield door.getsockname()[1], connections
        door.shutdown(socket.SHUT_RDWR)


def _serve(door: socket.socket, stack: Running, times: int, after_request: bool, connections: list[int]) -> None:
    while True:
        try:
            visitor, _ = door.accept()
        except OSError:
            return
        with visitor:
            connections.append(len(connections))
            is_cut = len(connections) <= times
            if not is_cut or after_request:
                _pass_on(visitor, stack, answer=not is_cut)


def _pass_on(visitor: socket.socket, stack: Running, *, answer: bool) -> None:
    host, port = stack.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as server:
        server.sendall(_request(visitor).replace(b"Connection: keep-alive", b"Connection: close"))
        while said := server.recv(1 << 16):
            if answer:
                visitor.sendall(said)


def _request(visitor: socket.socket) -> bytes:
    """Read one request to the end of its body."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += visitor.recv(1 << 16)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += visitor.recv(1 << 16)
    return head + b"\r\n\r\n" + body
