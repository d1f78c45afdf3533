"""Fixtures of the agent's tests: a real agent process on the run's Redis, and the server's side of the protocol."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server


@pytest.fixture
def server(broker: redis.Redis, redis_url: str) -> Iterator[Server]:
    """Give the server's side, which has heard of no agent yet."""
    server = Server(broker, redis_url)
    yield server
    server.close()


@pytest.fixture
def start_agent(server: Server, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Give a function that starts an agent and waits until it has registered."""
    agents: list[Agent] = []

    def start(*options: str, data: Path = tmp_path / "agent", **how: Any) -> Agent:
        known = len(server.registrations)
        agent = Agent(server, data, *(options or ("--slots", "2")), **how)
        agents.append(agent)
        wait_until(lambda: len(server.registrations) > known or agent.process.poll() is not None)
        return agent

    yield start
    for agent in agents:
        if agent.process.poll() is None:
            agent.kill()


@pytest.fixture
def agent(start_agent: Callable[..., Agent]) -> Agent:
    """Give an agent with two slots."""
    return start_agent()
