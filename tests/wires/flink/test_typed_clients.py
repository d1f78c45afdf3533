"""The Java clients of 1.5 to 1.9 read every answer; what later dashboards look for is told to browsers alone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from jobs.leader.loop import Leader
from tests.jobs.agents import ListAgent, turn
from tests.wires.flink.classes import BACK, LATER_JOB, MESSAGES, unread
from tests.wires.flink.conftest import BROWSER

pytestmark = pytest.mark.django_db

Ids = dict[str, str]
Told = Callable[..., Any]


def unreadable(told: Told, ids: Ids) -> list[str]:
    """Return what of all answers no class reads."""
    return [f"{path}{what}" for path, kind in MESSAGES.items() for what in unread(told(path.format(**ids)), kind)]


def test_a_running_job_is_read(told: Told, running: Ids) -> None:
    assert unreadable(told, running) == []
    assert list(unread(told(f"/jobs/{running['job']}/vertices/{running['v0']}/backpressure"), BACK)) == []


def test_a_finished_job_is_read(told: Told, running: Ids, finish: Callable[[], None]) -> None:
    finish()
    assert unreadable(told, running) == []


def test_a_failed_job_is_read(told: Told, failed: Ids) -> None:
    assert unreadable(told, failed) == []


def test_a_job_that_was_canceled_is_read(
    told: Told, running: Ids, operator: Client, leader: Leader, agent: ListAgent
) -> None:
    operator.patch(f"/jobs/{running['job']}")
    assert unreadable(told, running) == []
    turn(leader)
    turn(leader, agent.give_back(agent.tasks()))
    assert unreadable(told, running) == []


def test_a_vertex_that_waits_is_read(told: Told, running: Ids) -> None:
    waiting = told(f"/jobs/{running['job']}")["vertices"][1]["id"]
    assert unreadable(told, running | {"v0": waiting}) == []


def test_a_setting_tells_a_job_as_the_clients_of_1_14_read_it(told: Told, running: Ids, settings: Settings) -> None:
    path = f"/jobs/{running['job']}"
    assert list(unread(told(path), LATER_JOB)) != []
    settings.FLINK_LATER_KEYS = True
    assert list(unread(told(path), LATER_JOB)) == []


@pytest.mark.parametrize(
    ("path", "later"),
    [
        ("/config", {"web-cancel", "web-rescale", "web-history"}),
        ("/jobs/{job}", {"maxParallelism"}),
        ("/jobs/{job}/vertices/{v0}", {"endpoint", "taskmanager-id"}),
        ("/jobs/{job}/vertices/{v0}/taskmanagers", {"endpoint", "taskmanager-id"}),
        ("/taskmanagers", {"totalResource", "freeResource", "memoryConfiguration"}),
        ("/taskmanagers/{node}", {"totalResource", "freeResource", "memoryConfiguration"}),
    ],
)
def test_browsers_are_told_what_later_dashboards_look_for(viewer: Client, running: Ids, path: str, later: set[str]) -> None:
    plain = viewer.get(path.format(**running))
    page = viewer.get(path.format(**running), headers={"User-Agent": BROWSER})
    assert {name for name in later if f'"{name}"' in page.content.decode()} == later
    assert not any(f'"{name}"' in plain.content.decode() for name in later)
    assert "User-Agent" in page["Vary"]
