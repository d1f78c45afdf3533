"""Stages and their tasks in Ballista's words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, strategies

from jobs.leader.loop import Leader
from jobs.models import Stage, Task
from switchyard.scheduling.lifecycle.states import TASK_PLACES, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.wires.ballista.conftest import recorded
from wires.ballista.encode.plans import duration
from wires.ballista.encode.stages import _overlapping, percentiles

Submit = Callable[..., dict[str, Any]]
Told = Callable[..., Any]
Placed = Callable[[], list[tuple[int, int, int]]]


def stages(told: Told, id_: str) -> dict[str, dict[str, Any]]:
    return {stage["stage_id"]: stage for stage in told("/api/job/{id}/stages", id=id_)["stages"]}


@pytest.mark.django_db
def test_a_stage_that_has_not_begun_has_no_plan_and_no_tasks(told: Told, submit: Submit) -> None:
    found = stages(told, submit({"a": {}, "b": {"needs": ["a"]}})["id"])
    assert [found[id_]["stage_status"] for id_ in ("1", "2")] == ["Resolved", "Unresolved"]
    for stage in found.values():
        assert stage["tasks"] == []
        assert stage["elapsed_compute"] is None
        assert (stage["input_rows"], stage["output_rows"]) == (0, 0)
        assert not {"stage_plan", "task_duration_percentiles", "task_input_percentiles"} & stage.keys()


def test_tasks_stand_at_their_place_and_are_null_until_they_begin(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    id_ = submit({"a": {"parallelism": 4}}, max_failures=4)["id"]
    tasks = placed()
    turn(leader, agent.start(tasks[1:2]), agent.finish(tasks[:1]), agent.fail(tasks[3:4], error="ValueError: no"))
    stage = stages(told, id_)["1"]
    assert stage["stage_status"] == "Running"
    finished, running, waiting, failed = stage["tasks"]
    assert waiting is None
    assert [task["id"] for task in (finished, running, failed)] == [0, 1, 3]
    assert [task["partition_id"] for task in (finished, running, failed)] == [0, 1, 3]
    assert (finished["status"], running["status"]) == ("Successful", "Running")
    assert failed["status"] == {"Failed": {"reason": "ExecutionError", "error": "ValueError: no"}}
    assert 0 < finished["scheduled_time"] <= finished["start_exec_time"] <= finished["end_exec_time"]
    assert finished["exec_duration"] == finished["end_exec_time"] - finished["start_exec_time"]
    assert (running["end_exec_time"], running["finish_time"], running["exec_duration"]) == (0, 0, 0)
    assert stage["output_rows"] == finished["output_rows"] == 1
    assert stage["stage_plan"].startswith("ShuffleWriter: partitions=4\n")
    turn(leader, agent.finish(agent.tasks()))


def test_rows_are_the_results_that_tasks_are_handed_and_give(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    point = {"stage": "a", "exchange": "pointwise"}
    id_ = submit({"a": {"parallelism": 4}, "b": {"parallelism": 2, "needs": [point]}, "c": {"needs": ["a", "b"]}})["id"]
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    found = stages(told, id_)
    assert [(found[each]["input_rows"], found[each]["output_rows"]) for each in ("1", "2", "3")] == [(0, 4), (4, 2), (6, 1)]
    assert [task["input_rows"] for task in found["2"]["tasks"]] == [2, 2]
    assert found["3"]["task_input_percentiles"] == {"min": 6, "p25": 6, "median": 6, "p75": 6, "max": 6}
    for stage in found.values():
        for name in ("input_rows", "output_rows"):
            assert stage[name] == sum(task[name] for task in stage["tasks"])


@pytest.mark.django_db
def test_a_stage_took_from_its_first_start_to_its_last_end(told: Told, submit: Submit) -> None:
    id_ = submit({"a": {"parallelism": 2}})["id"]
    start = timezone.now() - timedelta(minutes=1)
    for task, (first, last) in enumerate([(0, 500), (200, 1230)]):
        at = {"started_at": start + timedelta(milliseconds=first), "ended_at": start + timedelta(milliseconds=last)}
        Task.objects.filter(index=task).update(state=TaskState.FINISHED, **at)
    counts = [2 if state == TaskState.FINISHED else 0 for state in range(TASK_PLACES)]
    Stage.objects.update(counts=counts, started_at=start, ended_at=start)
    stage = stages(told, id_)["1"]
    assert (stage["stage_status"], stage["elapsed_compute"]) == ("Successful", "1.23s")
    assert stage["task_duration_percentiles"] == {"min": 500, "p25": 500, "median": 1030, "p75": 1030, "max": 1030}


@pytest.mark.django_db
def test_a_running_stage_takes_until_now(told: Told, submit: Submit) -> None:
    id_ = submit({"a": {"parallelism": 2}})["id"]
    start = timezone.now() - timedelta(minutes=1)
    Task.objects.filter(index=0).update(state=TaskState.RUNNING, started_at=start)
    Stage.objects.update(counts=[1, 0, 0, 1, 0, 0, 0, 0, 0], started_at=start)
    elapsed = stages(told, id_)["1"]["elapsed_compute"]
    assert 60 <= float(elapsed.removesuffix("s")) < 90


def test_a_stage_whose_tasks_were_canceled_has_failed(
    told: Told, submit: Submit, operator: Any, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    id_ = submit({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})["id"]
    running, *rest = placed()
    turn(leader, agent.start([running]))
    operator.patch(f"/api/job/{id_}")
    turn(leader)
    turn(leader, agent.give_back(rest), agent.report(others=[agent.end(running, outcome="CANCELED")]))
    found = stages(told, id_)
    assert {stage["stage_status"] for stage in found.values()} == {"Failed"}
    assert found["1"]["tasks"][0]["status"] == {"Failed": {"reason": "TaskKilled", "error": "Cancelled"}}
    assert found["1"]["tasks"][1] is None


@pytest.mark.parametrize("case", recorded("percentiles"), ids=lambda case: str(case["values"]))
def test_percentiles_are_those_at_the_nearest_rank(case: dict[str, Any]) -> None:
    assert percentiles(case["values"]) == case["told"]


@pytest.mark.parametrize(("milliseconds", "text"), recorded("durations").items())
def test_durations_are_written_as_datafusion_does(milliseconds: str, text: str) -> None:
    assert duration(int(milliseconds)) == text


@given(producers=strategies.integers(1, 60), tasks=strategies.integers(1, 60))
def test_pointwise_inputs_are_those_whose_share_overlaps(producers: int, tasks: int) -> None:
    for index in range(tasks):
        overlapping = [
            i for i in range(producers) if i * tasks < (index + 1) * producers and index * producers < (i + 1) * tasks
        ]
        assert _overlapping(producers, tasks, index) == len(overlapping)
