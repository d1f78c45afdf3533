"""What is read of checkpoints: how they stand, what stages and tasks have answered, and which state a task goes on from."""

from collections.abc import Callable

import pytest

from artifacts.storage import Storage
from jobs.leader.loop import Leader
from jobs.models import Checkpoint, Job
from jobs.reading import checkpoints
from jobs.reading.checkpoints import Figures, Spread
from tests.jobs.agents import ListAgent
from tests.jobs.checkpointing import Task, answer, ask, begin, end

Submit = Callable[..., Job]
Running = tuple[Job, list[Task]]
RULE = {"interval": 60, "keep": 2}


@pytest.fixture(autouse=True)
def stored(kept: Storage) -> None:
    """Keep artifacts in a folder of the test's own."""


@pytest.fixture
def running(leader: Leader, agent: ListAgent, job: Submit) -> Running:
    made = job({"a": {"parallelism": 2}}, checkpoint=RULE)
    return made, begin(leader, agent)


def test_a_checkpoint_in_progress_tells_what_has_been_answered(agent: ListAgent, running: Running) -> None:
    job, tasks = running
    answer(agent, opened := ask(job, tasks), tasks[:1])
    shown = checkpoints.checkpoint(job.id, 1)
    assert shown is not None
    assert (shown["state"], shown["tasks"], shown["answered"], shown["size"]) == ("IN_PROGRESS", 2, 1, 10)
    [stage] = shown["stages"]
    assert (stage["name"], stage["tasks"], stage["answered"], stage["size"]) == ("a", 2, 1, 10)
    assert shown["last_answer_at"] == stage["last_answer_at"]
    told = checkpoints.answers(job.id, 1, tasks[0][0])
    assert told is not None
    assert [(each.task, each.at is None, each.size, each.sync, each.age) for each in told] == [
        (0, False, 10, 2_000, 3_000),
        (1, True, 0, 0, 0),
    ]
    answer(agent, opened, tasks[:1], 30)
    again = checkpoints.checkpoint(job.id, 1)
    assert again is not None
    assert again["answered"] == 1, "a task that answers again counts once"


def test_tasks_that_had_finished_count_as_such(agent: ListAgent, running: Running) -> None:
    job, tasks = running
    answer(agent, opened := ask(job, tasks), tasks[:1])
    end(opened)
    shown = checkpoints.checkpoint(job.id, 1)
    assert shown is not None
    assert (shown["state"], shown["answered"], shown["finished"], shown["size"]) == ("COMPLETED", 1, 1, 10)


def test_of_a_discarded_checkpoint_the_sums_are_left(agent: ListAgent, running: Running) -> None:
    job, tasks = running
    for _ in range(3):
        answer(agent, opened := ask(job, tasks), tasks)
        end(opened)
    shown = checkpoints.checkpoint(job.id, 1)
    assert shown is not None
    assert (shown["discarded"], shown["answered"], shown["size"], shown["last_answer_at"]) == (True, 2, 20, None)
    assert [(stage["tasks"], stage["answered"], stage["size"]) for stage in shown["stages"]] == [(2, None, None)]
    assert checkpoints.answers(job.id, 1, tasks[0][0]) is None
    assert checkpoints.answers(job.id, 3, tasks[0][0]) is not None


def test_the_checkpoints_of_a_job_are_summed_up(agent: ListAgent, running: Running) -> None:
    job, tasks = running
    assert checkpoints.overview(job.id, 2) == (0, 0, 0, Spread(), Spread(), None, None, None, [])
    assert checkpoints.figures() == checkpoints.figures([job.id]) == {}
    end(ask(job, tasks), "a task ended before it had answered")
    for size in (10, 21):
        answer(agent, opened := ask(job, tasks), tasks, size)
        end(opened)
    Checkpoint.objects.filter(number=2).update(ended_at=Checkpoint.objects.get(number=2).triggered_at)
    ask(job, tasks)
    found = checkpoints.overview(job.id, 2)
    assert (found.in_progress, found.completed, found.failed) == (1, 2, 1)
    assert (found.sizes, found.times.min) == (Spread(20, 42, 31), 0)
    assert [row["number"] for row in found.history] == [4, 3]
    assert found.latest_completed is not None
    assert found.latest_failed is not None
    assert (found.latest_completed["number"], found.latest_failed["number"]) == (3, 1)
    assert found.latest_failed["failure"] == "a task ended before it had answered"
    figures = checkpoints.figures()
    assert figures == checkpoints.figures([job.id]) == {str(job.id): Figures(1, 2, 1, 42, figures[str(job.id)].time)}


def test_a_task_goes_on_from_its_newest_usable_state(agent: ListAgent, running: Running) -> None:
    job, tasks = running
    stage = tasks[0][0]
    assert checkpoints.saved_state(stage, 0) is None
    answer(agent, None, tasks[:1], 7)
    saved = checkpoints.saved_state(stage, 0)
    assert saved is not None
    assert (saved["size"], saved["checkpoint"]) == (7, None)
    assert checkpoints.saved_state(stage, 1) is None
    answer(agent, opened := ask(job, tasks), tasks, 9)
    assert checkpoints.saved_state(stage, 0) == saved, "nothing goes on from a checkpoint that is not whole"
    end(opened)
    later = checkpoints.saved_state(stage, 0)
    assert later is not None
    assert (later["size"], later["checkpoint"]) == (9, 1)
