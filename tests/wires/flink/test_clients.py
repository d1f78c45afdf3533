"""What Flink's own clients need: which keys its command line takes and no others, and what its dashboards fail without.

The lists are of the classes by which the clients of 1.9 to 1.20 read, and of the fields that their pages look into.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.models import Attempt, Task
from jobs.reading.attempts import Failure
from switchyard.scheduling.lifecycle.states import TaskState
from tests.wires.flink.classes import TASK_STATES
from wires.flink.encode import failures

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]
Submit = Callable[..., dict[str, Any]]
#: Of a job in the list: later releases refuse any other.
LISTED = {"jid", "name", "state", "start-time", "end-time", "duration", "last-modification", "tasks"}
ENTRY = {
    "exceptionName": str,
    "stacktrace": str,
    "timestamp": int,
    "taskName": str,
    "location": str,
    "endpoint": str,
    "taskManagerId": str,
    "failureLabels": dict,
    "concurrentExceptions": list,
}
ROOM = {
    "cpuCores": float,
    "taskHeapMemory": int,
    "taskOffHeapMemory": int,
    "managedMemory": int,
    "networkMemory": int,
    "extendedResources": dict,
}


def types(found: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in found.items()}


def history(told: Told, ids: Ids, most: int) -> Any:
    return told(f"/jobs/{ids['job']}/exceptions?maxExceptions={most}")["exceptionHistory"]


def test_the_command_line_reads_the_list_of_jobs(told: Told, running: Ids) -> None:
    found = told("/jobs/overview")
    assert set(found) == {"jobs"}
    assert set(found["jobs"][0]) == LISTED
    counts = found["jobs"][0]["tasks"]
    assert set(counts) == {"total", "pending", *(state.lower() for state in TASK_STATES)}
    assert set(map(type, counts.values())) == {int}


def test_a_history_of_failures_is_told_to_those_who_say_how_long(told: Told, failed: Ids) -> None:
    assert "exceptionHistory" not in told(f"/jobs/{failed['job']}/exceptions")
    found = history(told, failed, 10)
    assert [types(entry) for entry in found["entries"]] == [ENTRY, ENTRY]
    last = found["entries"][0]
    assert (last["exceptionName"], last["stacktrace"]) == ("RuntimeError", "RuntimeError: boom")
    assert (last["endpoint"], last["taskManagerId"]) == ("n1:0", failed["node"])
    assert found["truncated"] is False


def test_a_history_is_as_long_as_asked_for(told: Told, failed: Ids) -> None:
    stage = int(failed["v0"], 16)
    older = [Attempt(stage_id=stage, index=0, attempt=n, state=TaskState.FAILED, error="a.B: no") for n in range(30, 60)]
    Attempt.objects.bulk_create(older)
    Task.objects.filter(stage=stage, index=0).update(attempt=60)
    found = history(told, failed, 25)
    assert (len(found["entries"]), found["truncated"]) == (25, True)
    assert found["entries"][-1]["exceptionName"] == "a.B"
    assert len(told(f"/jobs/{failed['job']}/exceptions?maxExceptions=25")["all-exceptions"]) == 20
    assert (history(told, failed, 32)["truncated"], history(told, failed, 31)["truncated"]) == (False, True)


def test_what_no_attempt_brought_about_is_the_last_failure(told: Told, running: Ids) -> None:
    assert history(told, running, 5) == {"entries": [], "truncated": False}
    root = {"root-exception": "It waited for too long.", "timestamp": 7}
    earlier = [Failure("a", 1, 0, None, 3, "", ""), Failure("a", 1, 0, None, 2, "exit status 1", "user_error")]
    entry, *_ = failures.history(root, earlier, {}, most=5)["entries"]
    assert (entry["stacktrace"], entry["timestamp"]) == ("It waited for too long.", 7)
    assert (entry["taskName"], entry["taskManagerId"], entry["location"]) == (None, None, None)


def test_what_an_attempt_brought_about_is_told_once() -> None:
    root = {"root-exception": "task 0 of stage a failed: exit status 1", "timestamp": 7}
    (entry,) = failures.history(root, [Failure("a", 1, 0, None, 3, "exit status 1\n", "user_error")], {}, most=5)["entries"]
    assert (entry["taskName"], entry["timestamp"]) == ("a (1/1)", 3)


@pytest.mark.parametrize("most", ["x", "-1", "", "1.5", "9" * 30])
def test_a_length_of_a_history_that_is_none_is_refused(viewer: Client, running: Ids, most: str) -> None:
    assert viewer.get(f"/jobs/{running['job']}/exceptions?maxExceptions={most}").status_code == 400


def test_dashboards_find_where_subtasks_are(shown: Told, running: Ids) -> None:
    vertex = f"/jobs/{running['job']}/vertices/{running['v0']}"
    subtask, by_node = shown(vertex)["subtasks"][0], shown(f"{vertex}/taskmanagers")["taskmanagers"][0]
    for found in (subtask, by_node):
        assert (found["endpoint"], found["taskmanager-id"]) == ("n1:0", running["node"])


def test_a_subtask_that_has_not_begun_is_nowhere(shown: Told, submit: Submit) -> None:
    job = submit({"a": {}})["id"]
    (waiting,) = shown(f"/jobs/{job}")["vertices"]
    (found,) = shown(f"/jobs/{job}/vertices/{waiting['id']}")["subtasks"]
    assert (found["endpoint"], found["taskmanager-id"]) == ("(unassigned)", "(unassigned)")
    assert waiting["maxParallelism"] == waiting["parallelism"] == 1


def test_dashboards_find_what_a_node_has_and_what_of_it_is_left(shown: Told, running: Ids) -> None:
    for found in (shown("/taskmanagers")["taskmanagers"][0], shown(f"/taskmanagers/{running['node']}")):
        assert types(found["totalResource"]) == types(found["freeResource"]) == ROOM
        assert (found["totalResource"]["cpuCores"], found["freeResource"]["cpuCores"]) == (2.0, 0.0)
        memory = found["memoryConfiguration"]
        assert memory["managedMemory"] == found["hardware"]["managedMemory"] == 4096 * 2**20
        assert memory.keys() >= {"frameworkHeap", "taskHeap", "jvmMetaspace", "jvmOverhead", "networkMemory"}


def test_dashboards_find_what_the_servers_run_in(told: Told) -> None:
    found = told("/jobmanager/environment")
    assert types(found["jvm"]) == {"version": str, "arch": str, "options": list}
    assert found["classpath"] == []


def test_a_flame_graph_is_told_to_be_switched_off(told: Told, viewer: Client, running: Ids) -> None:
    path = f"/jobs/{running['job']}/vertices/{{}}/flamegraph?type=on_cpu"
    assert told(path.format(running["v0"])) == {"data": None, "endTimestamp": -2}
    assert viewer.get(path.format("f" * 32)).status_code == 404
