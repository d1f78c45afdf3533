"""Metrics: of one thing as texts, of several as sums; of what there is not an empty list."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.models import Task
from jobs.reading.attempts import Execution
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import TaskState
from tests.wires.flink.conftest import TOLD
from wires.flink.encode.metrics import of_task

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]
UNKNOWN = "0" * 32


def test_a_vertex_tells_what_each_task_told(told: Told, running: Ids) -> None:
    path = f"/jobs/{running['job']}/vertices/{running['v0']}/metrics"
    names = {f"{task}.{name}" for task in (0, 1) for name in (*TOLD, "numBytesIn", "numRecordsOut")}
    assert names <= {each["id"] for each in told(path)}
    wanted = told(f"{path}?get=1.numRecordsOut,nothing,0.write_bytes")
    assert wanted == [{"id": "1.numRecordsOut", "value": "4"}, {"id": "0.write_bytes", "value": "20.0"}]


def test_a_task_that_runs_tells_how_it_spends_a_second(told: Told, running: Ids) -> None:
    Task.objects.filter(index=1, stage__name="read").update(metrics={"blocked": 0.25})
    names = [f"{name}TimeMsPerSecond" for name in ("backPressured", "busy", "idle")]
    path = f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks"
    assert [each["value"] for each in told(f"{path}/0/metrics?get={','.join(names)}")] == ["0", "1000", "0"]
    found = told(f"{path}/metrics?get={','.join(names)}&agg=max")
    assert found == [{"id": name, "max": value} for name, value in zip(names, (250.0, 1000.0, 0.0), strict=True)]


@pytest.mark.parametrize("comma", [",", "%2C"])
def test_a_name_may_hold_commas(told: Told, running: Ids, comma: str) -> None:
    Task.objects.filter(index=1, stage__name="read").update(metrics={"rows,total": 3, "rows": 1})
    path = f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks"
    found = told(f"{path}/1/metrics?get=rows{comma}total,rows")
    assert found == [{"id": "rows,total", "value": "3"}, {"id": "rows", "value": "1"}]
    assert told(f"{path}/metrics?get=rows{comma}total&agg=sum") == [{"id": "rows,total", "sum": 3.0}]


def test_a_task_that_waits_tells_how_it_is_held_back_if_it_is() -> None:
    waiting = Execution(1, TaskState.CREATED, 0, None, None, None, None, None, None)
    assert of_task(waiting, (1.0, 0.0), 9) == {}
    told = {"backPressuredTimeMsPerSecond": 300, "busyTimeMsPerSecond": 0, "idleTimeMsPerSecond": 700}
    assert of_task(waiting, (0.0, 0.3), 9) == told


@pytest.mark.parametrize(
    ("state", "rates"),
    [(TaskState.RUNNING, {"numRecordsInPerSecond": 1.5, "numBytesOutPerSecond": 5.0}), (TaskState.FINISHED, {})],
)
def test_a_task_that_runs_tells_what_it_reads_in_a_second(state: TaskState, rates: dict[str, float]) -> None:
    stored = '{"read_records": 6, "write_bytes": 20.0, "read_bytes": "x"}'
    told = of_task(Execution(0, state, 0, 1, 1000, 1000, None, stored, None), (), 5000)
    assert {name: value for name, value in told.items() if name.startswith("num") and name.endswith("PerSecond")} == rates


def test_a_task_tells_the_same_without_its_index(told: Told, running: Ids) -> None:
    path = f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/1/metrics"
    assert told(f"{path}?get=numRecordsIn") == [{"id": "numRecordsIn", "value": "3"}]


def test_tasks_are_summed_up_or_those_that_are_named(told: Told, running: Ids) -> None:
    Task.objects.filter(index=1).update(metrics={"read_records": 5, "word": "x"})
    path = f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/metrics"
    everything = {"id": "numRecordsIn", "min": 3.0, "max": 5.0, "avg": 4.0, "sum": 8.0}
    assert told(f"{path}?get=numRecordsIn,word,nothing") == [everything]
    assert told(f"{path}?get=numRecordsIn&subtasks=0-1,7") == [everything]
    assert told(f"{path}?get=numRecordsIn&subtasks=1&agg=max,sum") == [{"id": "numRecordsIn", "max": 5.0, "sum": 5.0}]
    assert told(f"{path}?get=numRecordsIn&subtasks=9") == []


def test_parameters_that_are_repeated_count_all(told: Told, running: Ids, submit: Callable[..., dict[str, Any]]) -> None:
    vertex = f"/jobs/{running['job']}/vertices/{running['v0']}"
    names = ["numRecordsIn", "numRecordsOut"]
    assert [each["id"] for each in told(f"{vertex}/subtasks/0/metrics?get=numRecordsIn&get=numRecordsOut")] == names
    path = f"{vertex}/subtasks/metrics?get=numRecordsIn"
    assert told(f"{path}&agg=min&agg=sum") == [{"id": "numRecordsIn", "min": 3.0, "sum": 6.0}]
    assert told(f"{path}&agg=sum&subtasks=0&subtasks=1") == [{"id": "numRecordsIn", "sum": 6.0}]
    other = submit({"a": {}})["id"]
    assert told(f"/jobs/metrics?get=uptime&agg=max&jobs={running['job']}&jobs={other}")[0]["max"] >= 0
    two = told(f"/jobs/metrics?get=fullRestarts&agg=avg&jobs={UNKNOWN}&jobs={running['job']}")
    assert two == [{"id": "fullRestarts", "avg": 0.0}]
    node = f"taskmanagers={running['node']}&taskmanagers={UNKNOWN}"
    assert len(told(f"/taskmanagers/metrics?get=Status.JVM.CPU.Load&{node}")) == 1


def test_live_jobs_are_summed_up_or_those_that_are_named(told: Told, running: Ids, finish: Callable[[], None]) -> None:
    assert told("/jobs/metrics?get=uptime")[0]["max"] >= 0
    finish()
    assert told("/jobs/metrics") == []
    assert told(f"/jobs/metrics?get=fullRestarts&jobs={running['job']}&agg=min") == [{"id": "fullRestarts", "min": 0.0}]
    (up,) = told(f"/v1/jobs/{running['job']}/metrics/?get=uptime")
    assert int(up["value"]) >= 0


def test_nodes_tell_the_memory_of_their_agents(told: Told, running: Ids) -> None:
    Node.objects.update(figures={"process": {"rss": 5, "vms": 7}, "cpu": 50, "mem_total": 1})
    get = "Status.JVM.Memory.Heap.Used,Status.JVM.CPU.Load,Status.JVM.Memory.Heap.Max"
    assert [each["value"] for each in told(f"/taskmanagers/{running['node']}/metrics?get={get}")] == ["5", "0.5", "1048576"]
    node = f"/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used&agg=sum&taskmanagers={running['node']}"
    assert told(node) == [{"id": "Status.JVM.Memory.Heap.Used", "sum": 5.0}]


def test_the_cluster_tells_its_slots(told: Told, running: Ids) -> None:
    get = "taskSlotsTotal,numRegisteredTaskManagers,numRunningJobs"
    assert [each["value"] for each in told(f"/jobmanager/metrics?get={get}")] == ["2", "1", "1"]
    assert int(told("/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used")[0]["value"]) > 0


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/{id}/metrics?get=uptime",
        "/jobs/{id}/vertices/{id}/metrics",
        "/jobs/{id}/vertices/{id}/subtasks/metrics",
        "/jobs/{id}/vertices/{id}/subtasks/0/metrics",
        "/jobs/{id}/vertices/{id}/subtasks/9999999999/metrics",
        "/taskmanagers/{id}/metrics",
        "/taskmanagers/localhost:41-a2/metrics?get=Status.JVM.CPU.Load",
        "/taskmanagers/metrics?taskmanagers={id}",
        "/jobs/metrics?jobs={id}",
    ],
)
@pytest.mark.parametrize("id_", [UNKNOWN, "f" * 32], ids=["small", "large"])
def test_what_there_is_not_has_no_metrics(told: Told, path: str, id_: str) -> None:
    assert told(path.format(id=id_)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/metrics?agg=bogus",
        "/jobs/metrics?jobs=zz",
        f"/jobs/{UNKNOWN}/vertices/{UNKNOWN}/subtasks/metrics?subtasks=a",
        f"/jobs/{UNKNOWN}/vertices/{UNKNOWN}/subtasks/metrics?subtasks=1-",
        f"/jobs/{UNKNOWN}/vertices/{UNKNOWN}/subtasks/x/metrics",
        "/jobs/x/metrics",
    ],
)
def test_what_cannot_be_read_is_refused(viewer: Client, path: str) -> None:
    assert viewer.get(path).status_code == 400


def test_numbers_beyond_all_measure_are_left_out_of_sums(told: Told, running: Ids) -> None:
    Task.objects.filter(index=0).update(metrics={"huge": 10**400})
    assert told(f"/jobs/{running['job']}/vertices/{running['v0']}/subtasks/metrics?get=huge") == []
