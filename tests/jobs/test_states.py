"""States that tasks have saved: which are kept, from which a task goes on, and when they go."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.utils import timezone

from artifacts import storing
from artifacts.kinds import Kind
from artifacts.models import Reference
from artifacts.storage import storage
from jobs.checks.artifacts import wrongly_kept
from jobs.models import Checkpoint, Job, SavedStates, Stage, Task
from jobs.store import states
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.states import State
from jobs.upkeep import retention
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.checkpoints import Ended
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.spec import from_data
from tests.jobs.submissions import submit

pytestmark = pytest.mark.django_db
NODE = 7
Make = Callable[..., Stage]


@pytest.fixture
def running() -> Make:
    """Give what makes a stage whose tasks run on a node."""

    def make(tasks: int = 4, *, gang: bool = False, **job: Any) -> Stage:
        described = {"name": "a", "command": ["true"], "parallelism": tasks, "gang": gang}
        id_ = submit(from_data({"name": "test", "stages": [described], **job}))
        Job.objects.filter(id=id_).update(state=JobState.RUNNING, started_at=timezone.now())
        stage = Stage.objects.get(job_id=id_)
        Task.objects.filter(stage=stage).update(state=TaskState.RUNNING, node_id=NODE)
        return stage

    return make


def pack(*texts: tuple[int, bytes], attempt: int = 0) -> tuple[str, list[State]]:
    """Store states, given as (task, bytes), in an artifact."""
    data, told = b"", []
    for index, text in texts:
        told.append(State(index, attempt, len(data), len(text), False, -1, 5, 7))
        data += text
    digest = sha256(data).hexdigest()
    storing.store(digest, [data])
    return digest, told


def save(stage: Stage, *texts: tuple[int, bytes], checkpoint: int | None = None, attempt: int = 0) -> IndexSet:
    return states.keep(NODE, stage.id, checkpoint, *pack(*texts, attempt=attempt))


def checkpoint(stage: Stage, state: Checkpoint.State = Checkpoint.State.IN_PROGRESS) -> Checkpoint:
    number = Checkpoint.objects.filter(job=stage.job).count() + 1
    return Checkpoint.objects.create(job=stage.job, number=number, state=state, asked=[], triggered_at=timezone.now())


def last(stage: Stage, low: int = 0, high: int = 100) -> dict[int, bytes]:
    """Return what tasks of a stage go on from."""
    found = {}
    for kept in states.last(stage.id, low, high):
        whole = b"".join(states.cut(storage().pieces(kept.digest), kept.states))
        for state in sorted(kept.states, key=lambda state: state.offset):
            found[state.index], whole = whole[: state.size], whole[state.size :]
    return found


def test_a_task_goes_on_from_what_was_saved_last(running: Make) -> None:
    stage = running()
    assert list(save(stage, (0, b"a"), (1, b"bb"), (2, b""))) == [0, 1, 2]
    save(stage, (1, b"later"))
    assert last(stage) == {0: b"a", 1: b"later", 2: b""}
    assert last(stage, 1, 2) == {1: b"later"}
    save(stage, (0, b"c"), (1, b"d"), (2, b"e"))
    assert last(stage) == {0: b"c", 1: b"d", 2: b"e"}
    assert SavedStates.objects.count() == Reference.objects.filter(kind=Kind.STATE).count() == 1
    assert list(wrongly_kept(timezone.now())) == []


def test_states_of_other_attempts_and_nodes_are_not_kept(running: Make) -> None:
    stage = running()
    Task.objects.filter(stage=stage, index=1).update(attempt=1)
    Task.objects.filter(stage=stage, index=2).update(state=TaskState.FAILED)
    Task.objects.filter(stage=stage, index=3).update(node_id=NODE + 1)
    assert list(save(stage, *((index, b"x") for index in range(4)))) == [0]
    assert not save(stage, (2, b"x"))
    assert last(stage) == {0: b"x"}


def test_a_checkpoint_counts_when_it_is_completed(running: Make) -> None:
    stage = running()
    save(stage, (0, b"own"))
    made = checkpoint(stage)
    save(stage, (0, b"at"), (1, b"once"), checkpoint=made.id)
    assert last(stage) == {0: b"own"}
    Checkpoint.objects.update(state=Checkpoint.State.COMPLETED)
    assert last(stage) == {0: b"at", 1: b"once"}
    assert not save(stage, (2, b"late"), checkpoint=made.id)
    save(stage, (1, b"since"))
    assert last(stage) == {0: b"at", 1: b"since"}
    states.discard([made.id])
    Checkpoint.objects.update(discarded=True)
    assert last(stage) == {0: b"own", 1: b"since"}


def test_a_gang_goes_on_from_one_checkpoint_if_its_job_has_any(running: Make) -> None:
    alone, together = running(2, gang=True), running(2, gang=True, checkpoint={"interval": 10})
    for stage in (alone, together):
        made = checkpoint(stage)
        save(stage, (0, b"x"), (1, b"y"), checkpoint=made.id)
        Checkpoint.objects.filter(id=made.id).update(state=Checkpoint.State.COMPLETED)
        save(stage, (0, b"later"))
    assert last(alone) == {0: b"later", 1: b"y"}
    assert last(together) == {0: b"x", 1: b"y"}


def test_a_gang_goes_on_from_the_newest_checkpoint_that_has_all_of_it(running: Make) -> None:
    stage = running(2, gang=True, checkpoint={"interval": 10})
    first, second, third = (checkpoint(stage) for _ in range(3))
    save(stage, (0, b"a0"), checkpoint=first.id)
    save(stage, (0, b"b0"), checkpoint=second.id)
    save(stage, (1, b"b1"), checkpoint=second.id)
    save(stage, (1, b"a1"), checkpoint=first.id)
    save(stage, (1, b"c1"), checkpoint=third.id)
    Checkpoint.objects.update(state=Checkpoint.State.COMPLETED)
    assert last(stage) == {0: b"b0", 1: b"b1"}


def test_a_checkpoint_stays_as_long_as_a_gang_goes_on_from_it(running: Make) -> None:
    stage = running(2, gang=True, checkpoint={"interval": 10})
    made = [checkpoint(stage) for _ in range(3)]
    for each, answers in zip(made, ("xy", "x", "xy"), strict=True):
        save(
            stage,
            *((index, each.number.to_bytes() + text.encode()) for index, text in enumerate(answers)),
            checkpoint=each.id,
        )
        CHECKPOINTS.end([Ended(each.id, stage.job_id, 1)])
        if each is made[1]:
            assert last(stage) == {0: b"\x01x", 1: b"\x01y"}
    assert last(stage) == {0: b"\x03x", 1: b"\x03y"}
    assert list(Checkpoint.objects.filter(discarded=False)) == [made[2]]


def test_of_checkpoints_that_end_at_once_the_newest_are_kept(running: Make) -> None:
    stage = running(1)
    made = [checkpoint(stage) for _ in range(3)]
    for each in made:
        save(stage, (0, b"x"), checkpoint=each.id)
    CHECKPOINTS.end([Ended(each.id, stage.job_id, 2) for each in made])
    assert list(Checkpoint.objects.filter(discarded=False).order_by("number")) == made[1:]


def test_a_task_that_no_later_checkpoint_asks_goes_on_from_its_last_one(running: Make) -> None:
    stage = running(2)
    for texts in ((b"a0", b"a1"), (b"b0",), (b"c0",)):
        made = checkpoint(stage)
        save(stage, *enumerate(texts), checkpoint=made.id)
        CHECKPOINTS.end([Ended(made.id, stage.job_id, 1)])
    assert last(stage) == {0: b"c0", 1: b"a1"}
    assert SavedStates.objects.count() == Reference.objects.filter(kind=Kind.STATE).count() == 2
    save(stage, (0, b"d0"), (1, b"d1"))
    assert [each.checkpoint for each in SavedStates.objects.all()] == [made, None]


def test_a_task_that_has_saved_nothing_starts_anew(running: Make) -> None:
    stage = running()
    made = checkpoint(stage)
    kept = states.keep(NODE, stage.id, made.id, "", [State(0, 0, 0, -1, False, -1, 0, 0)])
    assert list(kept) == [0]
    Checkpoint.objects.update(state=Checkpoint.State.COMPLETED)
    assert last(stage) == {}
    assert not Reference.objects.filter(kind=Kind.STATE).exists()


@pytest.mark.parametrize(
    ("state", "retained", "left"),
    [
        (JobState.FINISHED, True, set()),
        (JobState.CANCELED, False, {b"own"}),
        (JobState.CANCELED, True, {b"own", b"kept"}),
        (JobState.FAILED, False, {b"own", b"kept"}),
        (JobState.RUNNING, False, {b"own", b"kept"}),
    ],
)
def test_states_go_with_what_may_go_on_from_them(running: Make, state: JobState, left: set[bytes], *, retained: bool) -> None:
    stage = running(checkpoint={"interval": 10, "retain_on_cancel": retained})
    made = checkpoint(stage)
    save(stage, (0, b"kept"), checkpoint=made.id)
    Checkpoint.objects.update(state=Checkpoint.State.COMPLETED)
    save(stage, (1, b"own"))
    Job.objects.update(state=state, ended_at=None if state == JobState.RUNNING else timezone.now())
    while retention.expire(timezone.now()):
        pass
    assert set(last(stage).values()) == left
    assert Checkpoint.objects.get().discarded == (b"kept" not in left)
    assert list(wrongly_kept(timezone.now() + timedelta(minutes=1))) == []
