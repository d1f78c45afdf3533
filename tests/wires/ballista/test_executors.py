"""Nodes in Ballista's words."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Lease
from nodes.models import Node
from switchyard.agent.machine import description
from switchyard.agent.network.heartbeats import figures
from tests.jobs.agents import ListAgent

pytestmark = pytest.mark.django_db

Told = Callable[..., Any]


def test_an_executor_tells_of_its_slots_its_memory_and_its_machine(told: Told, agent: ListAgent, tmp_path: Any) -> None:
    Node.objects.update(info={"host": "here", "machine": description.facts(tmp_path)}, figures=figures(tmp_path))
    (executor,) = told("/api/executors")
    assert executor == told("/api/executor/n1")
    assert (executor["id"], executor["host"]) == ("n1", "here")
    assert executor["specification"] == {"task_slots": 2, "vcores": 2}
    assert 0 <= timezone.now().timestamp() * 1000 - executor["last_seen"] < 60_000
    measured = {each["type"]: each["value"] for each in executor["metrics"]}
    assert len(measured) == 7
    assert all(value > 0 for value in measured.values())
    assert measured["total_memory"] == measured["used_memory"] + measured["available_memory"]
    assert measured["peak_physical_memory"] >= measured["proc_physical_memory"]
    assert executor["os_info"]["physical_cores"] > 0
    assert executor["os_info"]["total_disk_space"] > executor["os_info"]["total_available_disk_space"] > 0
    assert executor["os_info"]["kernel_ver"]


def test_a_node_whose_agent_has_left_is_no_executor(told: Told, viewer: Client, agent: ListAgent) -> None:
    ListAgent(agent.broker, "n2")
    Node.objects.filter(name="n1").update(session="")
    assert [executor["id"] for executor in told("/api/executors")] == ["n2"]
    assert viewer.get("/api/executor/n1").status_code == 404


def test_an_executor_is_named_by_its_name_alone(told: Told, viewer: Client, agent: ListAgent) -> None:
    assert told("/api/executor/n1")["id"] == "n1"
    assert viewer.get(f"/api/executor/{agent.node}").status_code == 404


def test_executors_cost_the_same_for_one_and_for_ten(
    told: Told, agent: ListAgent, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        ListAgent(agent.broker, f"other{number}")
    with django_assert_max_num_queries(8):
        assert len(told("/api/executors")) == 11


def test_state_tells_since_when_the_scheduler_leads(told: Told, agent: ListAgent) -> None:
    taken = Lease.objects.get().taken_at
    assert taken is not None
    assert told("/api/state")["started"] == round(taken.timestamp() * 1000)
    assert told("/api/state") | told("/api/version") == told("/api/state")
