"""Which checkpoints are whole, which cannot be any more, and which go on waiting."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import pytest

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.checkpoints import Due, Ended, Open, Running, Standing, judge
from switchyard.scheduling.lifecycle.states import JobState, TaskState

JOB, STAGE = UUID(int=1), 3
BOTH = IndexSet.span(0, 2)


class Known:
    """One checkpoint, and how the two tasks of a stage stand."""

    def __init__(self, opened: Open, standings: Sequence[tuple[int, TaskState]]) -> None:
        self._opened = opened
        self._standings = standings

    def in_progress(self) -> list[Open]:
        return [self._opened]

    def standings(self, tasks: Collection[tuple[int, IndexSet]]) -> list[Standing]:
        told = enumerate(self._standings)
        return [Standing(STAGE, "train", index, attempt, state) for index, (attempt, state) in told]

    def due(self, now: float) -> list[Due]:
        raise AssertionError

    def running(self, jobs: Collection[UUID]) -> Mapping[UUID, list[Running]]:
        raise AssertionError

    def open(self, due: Due, asked: Sequence[tuple[int, int, IndexSet]]) -> int:
        raise AssertionError

    def end(self, ended: Collection[Ended]) -> None:
        raise AssertionError


def outcome(
    *standings: tuple[int, TaskState],
    answered: IndexSet = IndexSet(),  # noqa: B008  it does not change
    state: JobState = JobState.RUNNING,
    asked: Sequence[tuple[int, int, IndexSet]] = ((STAGE, 0, BOTH),),
    now: float = 100.0,
    gangs: Collection[int] = (),
) -> str | None:
    """Return why a checkpoint of two tasks failed, empty if it is whole, None while it waits."""
    opened = Open(1, JOB, state, 100.0, 10.0, 2, list(asked), {STAGE: answered})
    verdicts = judge(Known(opened, standings), now, lambda stages: gangs)
    return verdicts.ended[0].failure if verdicts.ended else None


RUNNING, FINISHED = (0, TaskState.RUNNING), (0, TaskState.FINISHED)


def test_it_is_whole_once_all_have_answered_or_finished() -> None:
    assert outcome(RUNNING, RUNNING) is None
    assert outcome(RUNNING, RUNNING, answered=IndexSet.span(0, 1)) is None
    assert outcome(FINISHED, RUNNING, answered=IndexSet.span(1, 2)) == ""
    assert outcome(answered=BOTH, state=JobState.CANCELING) == ""
    assert outcome(asked=()) == "", "nothing runs of a job that does"


@pytest.mark.parametrize(
    ("lost", "left"),
    [((0, TaskState.FAILED), RUNNING), ((0, TaskState.CREATED), RUNNING), ((1, TaskState.RUNNING), RUNNING)],
)
def test_it_fails_with_a_task_that_has_not_answered(lost: tuple[int, TaskState], left: tuple[int, TaskState]) -> None:
    assert outcome(lost, left) == "task 0 of train ended before it had answered"
    assert outcome(left, lost, answered=IndexSet.span(0, 1)) == "task 1 of train ended before it had answered"


def test_it_fails_with_a_gang_that_begins_anew_though_all_had_answered() -> None:
    again = (1, TaskState.CREATED)
    assert outcome(again, again, answered=BOTH) == ""
    assert (
        outcome(again, again, answered=BOTH, gangs=(STAGE,))
        == "the gang train began anew before the checkpoint was completed"
    )
    assert outcome((0, TaskState.CREATED), RUNNING, answered=BOTH, gangs=(STAGE,)) == ""


def test_it_fails_when_its_job_does_not_run_any_more() -> None:
    for asked in ((), ((STAGE, 0, BOTH),)):
        told = outcome(RUNNING, RUNNING, state=JobState.CANCELING, asked=asked)
        assert told == "the job was CANCELING before all tasks had answered"


def test_it_fails_after_its_time_by_the_names_of_who_is_late() -> None:
    assert outcome(RUNNING, RUNNING, now=110.0) is None
    assert outcome(RUNNING, RUNNING, now=110.1) == ("2 tasks have not answered within 10 s: task 0 of train, task 1 of train")
    late = outcome(RUNNING, RUNNING, answered=IndexSet.span(0, 1), now=111.0)
    assert late == "1 task has not answered within 10 s: task 1 of train"
