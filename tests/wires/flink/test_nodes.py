"""Nodes as taskmanagers, and the scheduler as the jobmanager."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from access.models import AuditEntry
from nodes.models import Event, Node
from nodes.reading import STATES
from status import configuration
from tests.jobs.agents import ListAgent
from wires.flink.states import TASKMANAGERS

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]
TEXT = "text/plain; charset=UTF-8"


def test_a_node_tells_of_its_machine_and_its_agent(told: Told, agent: ListAgent) -> None:
    collections = [{"count": 9, "seconds": 0.0125}, {"count": 1}, {"count": "x", "seconds": "y"}]
    process = {"rss": 5, "vms": 7, "threads": 6, "collections": collections}
    Node.objects.update(
        figures={"process": process, "mem_total": 3, "mem_available": 2}, info={"machine": {"physical_cores": 4}}
    )
    (listed,) = told("/taskmanagers")["taskmanagers"]
    assert (listed["slotsNumber"], listed["freeSlots"]) == (2, 2)
    mib = 1024 * 1024
    assert listed["hardware"] == {
        "cpuCores": 4,
        "physicalMemory": 3 * mib,
        "freeMemory": 2 * mib,
        "managedMemory": 4096 * mib,
    }
    shown = told(f"/taskmanagers/{listed['id']}")
    metrics = shown.pop("metrics")
    assert shown == listed
    assert (metrics["heapUsed"], metrics["heapCommitted"], metrics["nonHeapMax"]) == (5, 7, -1)
    told_of = [(each["name"], each["count"], each["time"]) for each in metrics["garbageCollectors"]]
    assert told_of == [("generation 0", 9, 12), ("generation 1", 1, 0), ("generation 2", 0, 0)]
    name = "Status.JVM.GarbageCollector.generation_0.Count"
    found = told(f"/taskmanagers/{listed['id']}/metrics?get=Status.JVM.Threads.Count,{name}")
    assert [each["value"] for each in found] == ["6", "9"]


def test_what_an_agent_tells_wrongly_is_nothing(told: Told, agent: ListAgent) -> None:
    Node.objects.update(figures={"process": [1], "mem_total": "x"}, info=[])
    (listed,) = told("/taskmanagers")["taskmanagers"]
    assert listed["hardware"]["freeMemory"] == 0
    assert told(f"/taskmanagers/{listed['id']}")["metrics"]["heapUsed"] == 0


def test_a_node_that_is_gone_is_no_taskmanager(told: Told, viewer: Client, agent: ListAgent) -> None:
    Node.objects.update(active=False)
    assert told("/taskmanagers") == {"taskmanagers": []}
    assert told("/overview")["slots-total"] == 0
    assert viewer.get(f"/taskmanagers/{agent.node:032x}").status_code == 404
    assert {state for state in STATES if not TASKMANAGERS[state]} == {"SILENT", "GONE", "INACTIVE"}


def test_logs_are_the_events_of_a_node(viewer: Client, told: Told, running: Ids) -> None:
    for path in ("/jobmanager", f"/v1/taskmanagers/{running['node']}"):
        (log,) = told(f"{path}/logs")["logs"]
        for name in ("log", f"logs/{log['name']}"):
            answer = viewer.get(f"{path}/{name}")
            assert (answer.status_code, answer["Content-Type"]) == (200, TEXT)
            assert b" INFO node_registered " in answer.content
            assert len(answer.content) == log["size"]
        assert viewer.get(f"{path}/logs/other").status_code == 404
        assert (viewer.get(f"{path}/stdout").content, viewer.get(f"{path}/stdout")["Content-Type"]) == (b"", TEXT)


def test_threads_are_told_of_the_process_that_answers(told: Told, running: Ids) -> None:
    dump = told("/jobmanager/thread-dump")["threadInfos"]
    assert any("test_nodes" in each["stringifiedThreadInfo"] for each in dump if each["threadName"] == "MainThread")
    assert told(f"/taskmanagers/{running['node']}/thread-dump") == {"threadInfos": []}


def test_nobody_shuts_down_a_cluster_whose_settings_do_not_allow_it(admin: Client) -> None:
    answer = admin.delete("/cluster")
    assert (answer.status_code, list(answer.json())) == (403, ["errors"])
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_admin_shuts_down_the_cluster_by_the_command_that_is_set(
    admin: Client, operator: Client, settings: Settings, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "told")
    settings.SHUTDOWN_COMMAND = f"sh -c 'echo down > {tmp_path}/told'"
    assert operator.delete("/cluster").status_code == 403
    answer = admin.delete("/v1/cluster")
    assert (answer.status_code, answer.json()) == (200, {})
    assert (tmp_path / "told").read_text() == "down\n"
    assert AuditEntry.objects.get().action == "cluster.shutdown"
    assert Event.objects.get().kind == "shutdown"


def test_settings_are_told_without_secrets(told: Told, settings: Settings) -> None:
    settings.REDIS_URL, settings.SECRET_KEY = "redis://user:hidden@host:1/0", "hidden"
    found = {each["key"]: each["value"] for each in told("/jobmanager/config")}
    assert "hidden" not in str(found)
    assert found["REDIS_URL"] == "redis://******@host:1/0"
    assert found["SECRET_KEY"] == configuration.MASK
    assert found["TIME_ZONE"] == "UTC"
