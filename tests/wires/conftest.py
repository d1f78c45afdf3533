"""What tests of wires share: clients in a role, jobs submitted through our own API, a leader and an agent to run them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.leader.loop import Leader
from tests.api.conftest import admin, agent, data_folder, leader, operator, statements, submit, viewer
from tests.jobs.agents import ListAgent, turn
from tests.wires.speakers import SPEAKERS, Speaker

__all__ = ["admin", "agent", "data_folder", "leader", "operator", "statements", "submit", "viewer"]

Submit = Callable[..., dict[str, Any]]


@pytest.fixture(params=SPEAKERS, ids=lambda speaker: speaker.name)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    """Give each wire in turn."""
    found: Speaker = request.param
    return found


@pytest.fixture
def placed(leader: Leader, agent: ListAgent) -> Callable[[], list[tuple[int, int, int]]]:
    """Let the leader place what it can, and give what the agent was told to run."""

    def tasks() -> list[tuple[int, int, int]]:
        turn(leader)
        agent.listen()
        return agent.tasks()

    return tasks


@pytest.fixture
def finish(leader: Leader, agent: ListAgent, placed: Callable[[], list[tuple[int, int, int]]]) -> Callable[[], None]:
    """Let all that was submitted run to its end."""

    def run() -> None:
        while tasks := placed():
            turn(leader, agent.finish(tasks))

    return run


@pytest.fixture
def anonymous(db: None) -> Client:
    """Give a client that says nothing about who it is."""
    return Client()
