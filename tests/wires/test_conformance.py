"""What every wire must do: tell the same of the same jobs as our own API, and change nothing but what it is asked to."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import TASK_PLACES, JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.wires.speakers import OF_JOBS, JobSpeaker

Submit = Callable[..., dict[str, Any]]
Statements = Callable[[Client, str], int]
Placed = Callable[[], list[tuple[int, int, int]]]


@pytest.fixture(params=OF_JOBS, ids=lambda speaker: speaker.name)
def speaker(request: pytest.FixtureRequest) -> JobSpeaker:
    """Give each wire that tells of single jobs."""
    found: JobSpeaker = request.param
    return found


def word(speaker: JobSpeaker, client: Client, id_: str) -> str:
    """Return the word for a job's state, which the list and the job itself agree on."""
    shown = speaker.state(client, id_)
    assert speaker.jobs(client)[id_] == shown
    return shown


def test_a_job_submitted_to_us_is_seen_at_once(speaker: JobSpeaker, viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    assert word(speaker, viewer, job["id"]) == speaker.words[JobState.CREATED]


def test_without_jobs_the_list_is_empty(speaker: JobSpeaker, viewer: Client) -> None:
    assert speaker.jobs(viewer) == {}


def test_a_job_is_seen_to_run_and_to_finish(
    speaker: JobSpeaker, viewer: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    job = submit({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})
    turn(leader, agent.start(placed()[:1]))
    assert word(speaker, viewer, job["id"]) == speaker.words[JobState.RUNNING]
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    assert word(speaker, viewer, job["id"]) == speaker.words[JobState.FINISHED]


def test_a_job_is_seen_to_fail(
    speaker: JobSpeaker, viewer: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    job = submit({"a": {}, "b": {"needs": ["a"]}})
    turn(leader, agent.fail(placed()[:1], error="ValueError: no"))
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    assert Job.objects.get().state == JobState.FAILED
    assert word(speaker, viewer, job["id"]) == speaker.words[JobState.FAILED]


def test_a_job_is_canceled_by_the_wire(
    speaker: JobSpeaker, operator: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    job = submit({"a": {"parallelism": 3}})
    tasks = placed()
    assert speaker.cancel(operator, job["id"])
    assert word(speaker, operator, job["id"]) == speaker.words[JobState.CANCELING]
    turn(leader)
    turn(leader, agent.give_back(tasks))
    assert Job.objects.get().state == JobState.CANCELED
    assert word(speaker, operator, job["id"]) == speaker.words[JobState.CANCELED]
    assert AuditEntry.objects.filter(action="job.cancel", target=job["id"]).count() == 1


def test_a_job_that_waits_is_canceled_by_the_wire(
    speaker: JobSpeaker, operator: Client, submit: Submit, leader: Leader
) -> None:
    job = submit({"a": {}})
    assert speaker.cancel(operator, job["id"])
    turn(leader)
    assert word(speaker, operator, job["id"]) == speaker.words[JobState.CANCELED]


@pytest.mark.django_db
@pytest.mark.parametrize("state", [JobState.FINISHED, JobState.FAILED, JobState.CANCELED])
def test_an_ended_job_is_not_canceled(speaker: JobSpeaker, operator: Client, submit: Submit, state: JobState) -> None:
    job = submit({"a": {}})
    Job.objects.update(state=state, ended_at=timezone.now())
    assert not speaker.cancel(operator, job["id"])
    assert Job.objects.get().state == state
    assert not AuditEntry.objects.filter(action="job.cancel").exists()


def test_a_viewer_cancels_nothing(speaker: JobSpeaker, viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    method, path = speaker.changing
    assert viewer.generic(method, path.replace("00000000-0000-0000-0000-000000000001", job["id"])).status_code == 403
    assert Job.objects.get().state == JobState.CREATED


@pytest.mark.parametrize(
    "id_", ["00000000-0000-0000-0000-000000000001", "99999999", "9" * 30, "QsshxvN", "%20", "..%2f", "é", "-1"]
)
def test_what_is_not_there_is_told_in_its_words(speaker: JobSpeaker, operator: Client, submit: Submit, id_: str) -> None:
    submit({"a": {}})
    known = {404} if id_.endswith("-000000000001") else {404, speaker.malformed}
    for method, path in speaker.unknown:
        answer = operator.generic(method, path.replace("00000000-0000-0000-0000-000000000001", id_))
        assert answer.status_code in known, (method, path, id_)
        assert speaker.is_error(answer.status_code, answer), (method, path, id_)


@pytest.mark.django_db
@pytest.mark.parametrize("state", JobState, ids=lambda state: state.name)
def test_every_state_of_a_job_has_a_word(speaker: JobSpeaker, viewer: Client, submit: Submit, state: JobState) -> None:
    job = submit({"a": {}, "b": {"needs": ["a"]}})
    Job.objects.update(state=state, started_at=timezone.now())
    assert word(speaker, viewer, job["id"]) == speaker.words[state]
    for page in speaker.pages:
        assert viewer.get(page.format(id=job["id"])).status_code == 200, page


@pytest.mark.django_db
@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("state", TaskState, ids=lambda state: state.name)
def test_every_state_of_a_task_has_a_word(
    speaker: JobSpeaker, viewer: Client, submit: Submit, state: TaskState, started: bool
) -> None:
    job = submit({"a": {}})
    counts = [int(each == state) for each in range(TASK_PLACES)]
    at = timezone.now() if started else None
    Task.objects.update(state=state, started_at=at, scheduled_at=at)
    Stage.objects.update(counts=counts, started_at=timezone.now())
    for page in speaker.pages:
        assert viewer.get(page.format(id=job["id"])).status_code == 200, page


@pytest.mark.django_db
def test_every_kind_of_stage_is_shown(speaker: JobSpeaker, viewer: Client, operator: Client) -> None:
    stages = [
        {"name": "list", "python": "bench.callables:square", "parallelism": 2},
        {
            "name": "point",
            "command": ["sort", "-u", 'a "b" \\ ü'],
            "parallelism": 3,
            "needs": [{"stage": "list", "exchange": "pointwise"}],
        },
        {"name": "shell", "command": "echo 'x' | sort > /dev/null\necho \"y\"", "shell": True, "needs": ["point"]},
        {"name": "gang", "python": "bench.callables:square", "parallelism": 2, "gang": True},
        {"name": "items", "python": "bench.callables:square", "foreach": [1, {"a": 2}]},
        {"name": "made", "python": "bench.callables:square", "foreach": {"from": "items"}},
    ]
    answer = operator.post("/api/v1/jobs", {"name": 'ä "<x>"', "stages": stages}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    id_ = answer.json()["id"]
    assert speaker.jobs(viewer) == {id_: speaker.words[JobState.CREATED]}
    for page in speaker.pages:
        assert viewer.get(page.format(id=id_)).status_code == 200, page


def test_ten_thousand_tasks_cost_no_more_statements_than_ten(
    speaker: JobSpeaker,
    viewer: Client,
    submit: Submit,
    leader: Leader,
    agent: ListAgent,
    placed: Placed,
    statements: Statements,
) -> None:
    small, large = submit({"a": {"parallelism": 10}}), submit({"a": {"parallelism": 10_000}})
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    assert speaker.tasks(viewer, large["id"]) == 10_000
    for page in speaker.pages:
        cost = statements(viewer, page.format(id=small["id"]))
        assert statements(viewer, page.format(id=large["id"])) == cost, page


def test_a_list_of_thirty_jobs_costs_no_more_statements_than_one_of_three(
    speaker: JobSpeaker, viewer: Client, submit: Submit, statements: Statements
) -> None:
    _, path = speaker.reading
    for _ in range(3):
        submit({"a": {}, "b": {"needs": ["a"]}})
    few = statements(viewer, path)
    for _ in range(27):
        submit({"a": {}, "b": {"needs": ["a"]}})
    assert statements(viewer, path) == few
    assert len(speaker.jobs(viewer)) == 30


def test_reading_changes_nothing(speaker: JobSpeaker, viewer: Client, submit: Submit) -> None:
    job = submit({"a": {}})
    before = snapshot()
    for page in speaker.pages:
        viewer.get(page.format(id=job["id"]))
    speaker.jobs(viewer)
    assert snapshot() == before


def snapshot() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Job, Stage, Task, Node, AuditEntry)]
