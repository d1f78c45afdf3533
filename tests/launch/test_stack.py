"""What the processes of a stack are given fits what the servers have."""

from pathlib import Path

import psutil

from access.bodies import OF_KNOWN, OF_STRANGERS
from launch import postgres, stack
from scheduler_project.bridging import THREADS

#: Connections for the scheduler, people's shells, and PostgreSQL's own reserve.
LEFT = 40


def test_agents_share_the_memory_and_the_free_disk_of_the_machine(tmp_path: Path) -> None:
    one, four = (dict(zip(*[iter(stack.shares(agents, tmp_path))] * 2, strict=True)) for agents in (1, 4))
    assert 4 * int(four["--mem"]) <= int(one["--mem"]) <= psutil.virtual_memory().total >> 20
    assert 4 * int(four["--disk"]) <= psutil.disk_usage(str(tmp_path)).total >> 20


def test_threads_of_the_web_leave_connections_for_others() -> None:
    most = stack.MOST_WEB_WORKERS * THREADS
    assert most + LEFT <= int(postgres.SETTINGS["max_connections"])


def test_some_threads_of_the_web_wait_for_no_body() -> None:
    awaited = OF_KNOWN.slots._initial_value + OF_STRANGERS.slots._initial_value  # type: ignore[attr-defined]
    assert awaited < THREADS
