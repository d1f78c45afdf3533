"""Jobs counted by the states of their tasks, what their stages read and wrote, and what their attempts told."""

import math
from collections.abc import Callable
from uuid import UUID

import pytest

from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Stage, Task
from jobs.reading import counts
from jobs.reading.accumulators import accumulated
from jobs.reading.attempts import execution, executions, failures
from jobs.reading.progress import NOTHING, Flow, flows, stage, stages
from switchyard.scheduling.accumulators import of_task
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
NOBODY = UUID(int=1)


def test_a_tally_adds_up_the_tasks_of_all_stages(job: Submit, leader: Leader, agent: ListAgent) -> None:
    first, second = job({"a": {"parallelism": 3}, "b": {"needs": ["a"]}}), job({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:1]))
    (newest, oldest), *_ = counts.tallies()
    assert (newest.id, oldest.id) == (str(second.id), str(first.id))
    assert (sum(oldest.counts), oldest.counts[TaskState.FINISHED], oldest.state) == (4, 1, JobState.RUNNING)
    assert (oldest.stage_changed or 0) >= oldest.created
    assert counts.tally(first.id) == oldest
    assert counts.states() == [(newest.id, newest.state), (oldest.id, oldest.state)]
    assert counts.entered(first.id) == {}


def test_what_there_is_not_has_no_tally(transactional_db: None) -> None:
    assert list(counts.tallies()) == [[]]
    assert counts.tally(NOBODY) is None
    assert counts.state(NOBODY) is None
    assert stages(NOBODY) == []
    assert stage(NOBODY, 1) is None
    assert execution(1, 0) is None


def test_jobs_beyond_a_piece_follow_in_the_next(job: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "JOBS_A_PIECE", 2)
    made = [str(job({"a": {}}).id) for _ in range(3)]
    assert [[tally.id for tally in piece] for piece in counts.tallies()] == [[made[2], made[1]], [made[0]]]


def test_flows_count_the_tasks_that_run_and_have_told_nothing(job: Submit, leader: Leader, agent: ListAgent) -> None:
    made = job({"a": {"parallelism": 2}})
    id_ = Stage.objects.get().id
    assert flows([id_, 0]) == {id_: NOTHING, 0: NOTHING}
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    Task.objects.filter(index=0).update(metrics={"read_bytes": 1.5, "write_bytes": -1, "read_records": 1e30})
    Task.objects.filter(index=1).update(metrics={"read_bytes": 2.5, "write_bytes": "x"})
    assert flows([id_])[id_] == (Flow(4, 0), Flow(-1, 1), Flow(10**30, 1), Flow(0, 2))
    assert [each.name for each in stages(made.id)] == ["a"]


def test_attempts_are_found_by_their_number(job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    id_ = Stage.objects.get().id
    Task.objects.filter(index=1).update(attempt=1)
    Attempt.objects.create(stage_id=id_, index=1, attempt=0, state=TaskState.FAILED, error="no", accumulators={"x": 1})
    assert [each.attempt for each in executions(id_)] == [0, 1]
    older = execution(id_, 1, 0)
    assert older is not None
    assert (older.state, older.accumulators) == (TaskState.FAILED, {"x": 1})
    assert execution(id_, 1, 2) is None
    assert [(each.stage, each.task, each.error) for each in failures(Job.objects.get().id, limit=5)] == [("a", 1, "no")]


def test_sums_keep_whole_numbers_whole(job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    id_ = Stage.objects.get().id
    Task.objects.filter(index=0).update(accumulators={"big": 2**60, "half": 1, "none": None})
    Task.objects.filter(index=1).update(accumulators={"big": 1, "half": 0.5})
    assert [tuple(each) for each in accumulated([id_])] == [("big", "long", 2**60 + 1), ("half", "double", 1.5)]


def test_sums_that_no_float_holds_are_infinite_or_whole(job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    id_ = Stage.objects.get().id
    told = {"d": {"double": 1.5e308}, "m": {"average": [1.5e308, 1]}, "w": 10**308, "x": 0.5, "l": {"long": 10**308}}
    for index in range(2):
        Task.objects.filter(index=index).update(
            accumulators=told | {"x": (0.5, 10**308)[index], "m": {"average": [10**308, 1]}}
        )
    assert {each.name: each.value for each in accumulated([id_])} == {
        "d": math.inf, "m": math.inf, "w": 2 * 10**308, "x": 1e308, "l": 2 * 10**308,
    }  # fmt: skip


def test_each_kind_of_accumulator_is_merged_over_tasks_and_stages(job: Submit) -> None:
    job({"a": {"parallelism": 2}, "b": {}})
    one = {
        "i": {"int": 2},
        "l": {"long": 2**60},
        "d": {"double": 1.0},
        "m": {"average": [3, 2]},
        "h": {"histogram": {"7": 1, "-1": 2}},
    }
    two = {"i": {"int": 3}, "l": 5, "d": {"double": 0.5}, "m": {"average": [1, 2]}, "h": {"histogram": {"7": 2, "20": 1}}}
    odd = {"i": {"int": "x"}, "m": {"average": 3}, "h": {"histogram": {"x": 1}}, "o": {"other": 1}, "n": None, "s": []}
    for at, told in enumerate((one, two)):
        Task.objects.filter(stage__name="a", index=at).update(accumulators=told)
    Task.objects.filter(stage__name="b").update(accumulators=odd)
    ids = list(Stage.objects.values_list("id", flat=True))
    merged = {each.name: (each.kind, each.value) for each in accumulated(ids)}
    assert merged == {
        "i": ("int", 5),
        "l": ("long", 2**60 + 5),
        "d": ("double", 1.5),
        "m": ("average", 1.0),
        "h": ("histogram", {-1: 2, 7: 3, 20: 1}),
    }
    assert {each.name: each.value for each in of_task(one)} == {"i": 2, "l": 2**60, "d": 1.0, "m": 1.5, "h": {-1: 2, 7: 1}}
    assert of_task({"h": {"histogram": {"x": 1}}}) == [] == of_task({"x": True, "m": {"average": []}})
