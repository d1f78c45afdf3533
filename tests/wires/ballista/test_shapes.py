"""The shapes of answers, decoded as strictly as the clients do, in every state that a job, a task and a node may be in."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from nodes.models import Node, NodeResource
from switchyard.scheduling.lifecycle.states import JOB_ENDS, TASK_PLACES, JobState, TaskState
from switchyard.scheduling.retry import ExitClass
from tests.jobs.agents import ListAgent, turn
from tests.wires.ballista.decoders import CANCELS, ERROR, SHAPES

Submit = Callable[..., dict[str, Any]]
Told = Callable[..., Any]
Placed = Callable[[], list[tuple[int, int, int]]]


@pytest.mark.django_db
@pytest.mark.parametrize("state", JobState, ids=lambda state: state.name)
@pytest.mark.parametrize("started", [True, False])
def test_jobs_decode_in_every_state(told: Told, submit: Submit, state: JobState, started: bool) -> None:
    job = submit({"a": {}, "b": {"needs": ["a"]}})
    at = timezone.now() if started else None
    Job.objects.update(state=state, started_at=at, ended_at=at, error="no")
    for route in ("/api/jobs", "/api/job/{id}", "/api/job/{id}/stages"):
        told(route, id=job["id"])


@pytest.mark.django_db
@pytest.mark.parametrize("exit_class", [None, *ExitClass])
@pytest.mark.parametrize("state", TaskState, ids=lambda state: state.name)
def test_tasks_decode_in_every_state(told: Told, submit: Submit, state: TaskState, exit_class: str | None) -> None:
    job = submit({"a": {}})
    now = timezone.now()
    Task.objects.update(state=state, started_at=now, scheduled_at=now, ended_at=now, exit_class=exit_class)
    Stage.objects.update(counts=[int(each == state) for each in range(TASK_PLACES)], started_at=now)
    for format_ in ("", "?plan_format=default", "?plan_format=tree", "?plan_format=metrics"):
        told("/api/job/{id}/stages", format_, id=job["id"])


def test_every_json_route_decodes_while_work_goes_on(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    job = submit({"a": {"parallelism": 5}, "b": {"needs": ["a"]}}, max_failures=5, config={"x": 1, "y": "two"})
    tasks = placed()
    turn(leader, agent.start(tasks[:1]))
    turn(leader, agent.fail(tasks[1:2], error="no"))
    turn(leader, agent.finish(tasks[2:3]))
    for route in SHAPES:
        told(route, id=job["id"])
    turn(leader, agent.finish(agent.tasks()))


@pytest.mark.django_db
def test_what_an_agent_tells_of_itself_never_breaks_a_list(told: Told, agent: ListAgent) -> None:
    odd: list[Any] = [[], "x", -1, 1e300, {"machine": [], "host": 7}, {"machine": {"kernel_ver": 5, "num_disks": "2"}}]
    odd.append({"machine": {"physical_cores": 2**40, "num_disks": 1e300, "open_files_limit": 2**70}})
    for info in odd:
        for figures in (
            {},
            {"process": 7, "mem_available": "x", "mem_total": 1e300},
            {"disk_free": 1e300, "process": {"rss": True}},
        ):
            Node.objects.update(info=info, figures=figures)
            told("/api/executors")
    NodeResource.objects.update(total=2**50)
    told("/api/executors")
    Node.objects.update(heard_at=None)
    assert told("/api/executor/n1")["last_seen"] == 0


@pytest.mark.django_db
def test_lists_are_asked_by_post_as_well(told: Told, viewer: Any, submit: Submit, agent: ListAgent) -> None:
    submit({"a": {}})
    for path in ("/api/state", "/api/jobs", "/api/executors"):
        for body, type_ in ((b"", ""), (b"{}", "application/json"), (b"\xff", "multipart/form-data")):
            answer = viewer.post(path, body, content_type=type_)
            assert (answer.status_code, answer.content) == (200, viewer.get(path).content)


@pytest.mark.django_db
@pytest.mark.parametrize("state", JobState, ids=lambda state: state.name)
def test_cancels_decode_in_every_state(operator: Any, submit: Submit, state: JobState) -> None:
    job = submit({"a": {}})
    Job.objects.update(state=state, ended_at=timezone.now() if state in JOB_ENDS else None)
    answer = operator.patch(f"/api/job/{job['id']}")
    assert answer.status_code in (200, 409)
    CANCELS[answer.status_code].validate_json(answer.content)


@pytest.mark.django_db
def test_errors_decode(operator: Any, viewer: Any, anonymous: Any) -> None:
    unknown = "00000000-0000-0000-0000-000000000001"
    CANCELS[404].validate_json(operator.patch(f"/api/job/{unknown}").content)
    pages = ("", "/stages", "/config", "/dot", "/dot_svg", "/stage/1/dot")
    for path in (*(f"/api/job/{unknown}{page}" for page in pages), "/api/executor/none", "/api/nowhere"):
        answer = viewer.get(path)
        assert answer.status_code == ERROR.validate_json(answer.content).http_code == 404, path
    for sender, status in ((anonymous, 401), (viewer, 403)):
        answer = sender.patch(f"/api/job/{unknown}")
        assert answer.status_code == ERROR.validate_json(answer.content).http_code == status
