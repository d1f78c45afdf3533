"""Everything at once: all jobs as lines, all tasks of a job with their times, piece by piece."""

from collections.abc import Callable

import pytest

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job
from jobs.reading import counts, listing, times
from jobs.reading.plans import plans
from switchyard.scheduling.lifecycle.states import JOB_TRANSITIONS, JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 100])
def test_pieces_hold_each_job_once_newest_first(job: Submit, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(listing, "JOBS_A_PIECE", size)
    submitted = [job({"a": {}}) for _ in range(5)]
    found = [line for piece in listing.pieces() for line in piece]
    assert [line.id for line in found] == [str(each.id) for each in reversed(submitted)]
    assert [listing.line(each.id) for each in reversed(submitted)] == found


def test_as_many_jobs_as_a_piece_holds_are_asked_for_once(job: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (listing, counts):
        monkeypatch.setattr(module, "JOBS_A_PIECE", 2)
    for _ in range(2):
        job({"a": {}})
    assert [len(piece) for piece in listing.pieces()] == [len(piece) for piece in counts.tallies()] == [2]


def test_a_line_tells_how_far_a_job_is(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 2}, "b": {"needs": ["a"], "parallelism": 3}, "c": {"needs": ["a"]}})
    for _ in range(3):
        turn(leader)
        agent.listen()
        turn(leader, agent.finish(agent.tasks()))
    line = listing.line(submitted.id)
    assert line is not None
    assert (line.state, line.stages, line.finished_stages, line.results) == (JobState.FINISHED, 3, 3, 4)
    assert (line.failed_stage, line.failures > line.max_failures) == (None, False)
    assert line.created <= (line.started or 0) <= (line.ended or 0)


def test_a_line_names_the_first_stage_that_failed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}, "b": {"needs": ["a"]}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:1]))
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    line = listing.line(submitted.id)
    assert line is not None
    assert (line.state, line.failed_stage, line.finished_stages) == (JobState.FAILED, 1, 1)
    assert line.failures > line.max_failures


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_courses_hold_each_task_once_in_order(job: Submit, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(times, "TASKS_A_PIECE", size)
    submitted = job({"a": {"parallelism": 4}, "b": {"parallelism": 3}})
    other = job({"a": {"parallelism": 2}})
    stages = [plan.id for plan in plans(submitted.id)]
    found = [(course.stage, course.task, course.state) for course in times.courses(stages)]
    wanted = [(stage, task, TaskState.CREATED) for stage, tasks in zip(stages, (4, 3), strict=True) for task in range(tasks)]
    assert found == wanted
    assert len(list(times.courses([plan.id for plan in plans(other.id)]))) == 2
    assert list(times.courses([])) == []


@pytest.mark.parametrize("state", JobState, ids=lambda state: state.name)
def test_a_job_is_canceled_wherever_the_table_of_states_allows_it(job: Submit, state: JobState) -> None:
    submitted = job({"a": {}})
    Job.objects.update(state=state)
    allowed = JobState.CANCELING in JOB_TRANSITIONS[state]
    assert control.cancel(ANN, submitted.id).state == (JobState.CANCELING if allowed else state)
