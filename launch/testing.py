"""Testing: a pytest plugin that starts PostgreSQL and Redis for a test run, and stops them after it.

Loaded by `-p launch.testing`, before Django's settings, which read in the environment where the servers are.
Under pytest-xdist one pair serves all workers; each has its own database (pytest-django) and Redis database.
"""

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack

import pytest

from launch import services


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Name the servers in the environment, starting them first unless this is a worker of a run that has."""
    _keep_compiled()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["REDIS_URL"] = _own_database(os.environ["REDIS_URL"], worker)
    else:
        _start(early_config)
    return (yield)


def _start(config: pytest.Config) -> None:
    stack = ExitStack()
    config.add_cleanup(stack.close)
    data = stack.enter_context(services.temporary_data())
    os.environ |= stack.enter_context(services.running(data, durable=False)).environment()


def _keep_compiled() -> None:
    """Keep what is compiled: hundreds of processes are started, and each would compile all that it imports."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _own_database(url: str, worker: str) -> str:
    return f"{url.partition('?')[0]}?db={int(worker.removeprefix('gw')) + 1}"
