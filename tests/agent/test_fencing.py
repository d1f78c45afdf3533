"""Fencing: what of an agent that is not heard ends when, and what goes on because its job waits for silent nodes."""

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from switchyard.agent.core.fencing import Fence
from switchyard.agent.core.pool import SPARE
from switchyard.scheduling.lifecycle.lost_nodes import LOST, MARGIN
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, alive, running
from tests.agent.test_surviving import guardians

Start = Callable[..., Agent]
#: Long enough that a test ends before.
LONG = 600


@pytest.fixture
def both(start_agent: Start, server: Server, tmp_path: Path) -> "Both":
    """Give an agent that is not heard from now on, with two tasks; one is of a job that waits for silent nodes."""
    return Both(start_agent, server, tmp_path)


class Both:
    """A task that is to end at the fence, and one that is to go on."""

    def __init__(self, start_agent: Start, server: Server, folder: Path) -> None:
        self.agent = start_agent("--slots", "2", "--heartbeat", "0.2", "--fence", "1.5")
        self.server, self.folder = server, folder
        server.resume = True

    def run(self, disconnect_grace: float) -> tuple[int, int]:
        """Return their processes once both run, and acknowledge no heartbeat any more."""
        for stage, grace in ((1, None), (2, disconnect_grace)):
            (self.folder / str(stage)).mkdir()
            self.server.launch(stage, python=WAIT, args=[str(self.folder / str(stage))], disconnect_grace=grace)
        pids = running(self.folder / "1"), running(self.folder / "2")
        self.server.acknowledge_heartbeats = False
        return pids


def test_a_task_whose_job_waits_for_its_node_goes_on_when_all_else_is_ended(both: Both, server: Server) -> None:
    hasty, patient = both.run(LONG)
    wait_until(lambda: not alive(hasty))
    assert server.end(1)["class"] == "lost"
    server.launch(3, python="agent_tasks:square", disconnect_grace=LONG)
    server.until(lambda: (3, 0, 0) in server.returned())
    assert alive(patient)
    assert len(server.registrations) == 1


def test_an_agent_that_is_heard_again_goes_on_with_its_session(both: Both, server: Server) -> None:
    hasty, _ = both.run(LONG)
    wait_until(lambda: not alive(hasty))
    server.acknowledge_heartbeats = True
    stages = itertools.count(3)
    # What comes before it knows that it is heard, it returns.
    while not runs(server, next(stages)):
        continue
    (both.folder / "2" / "go").touch()
    assert server.result(2) == "done"
    assert len(server.registrations) == 1


def test_a_session_that_the_server_has_ended_ends_at_once_with_all_that_runs(
    start_agent: Start, server: Server, tmp_path: Path
) -> None:
    start_agent("--heartbeat", "0.2", "--fence", str(LONG))
    server.launch(1, python=WAIT, args=[str(tmp_path)], disconnect_grace=LONG)
    pid = running(tmp_path)
    server.ended_session = server.session
    wait_until(lambda: not alive(pid))
    wait_until(lambda: len(server.registrations) == 2)
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0


def test_an_agent_whose_token_is_not_valid_any_more_ends_everything_and_says_so(
    start_agent: Start, server: Server, tmp_path: Path
) -> None:
    start_agent("--heartbeat", "0.2", "--fence", str(LONG), env={"SWITCHYARD_NODE_TOKEN": "revoked"})
    server.launch(1, python=WAIT, args=[str(tmp_path)], disconnect_grace=LONG)
    pid = running(tmp_path)
    server.acknowledge_heartbeats = False
    server.distrust = 401, "a proxy's own words"
    beats = len(server.registrations)
    wait_until(lambda: server.distrusted > 3)
    assert alive(pid)
    server.distrust = 401, {"errors": [{"code": "authentication_failed", "detail": "Unknown or expired token."}]}
    wait_until(lambda: server.left)
    assert not alive(pid)
    assert server.left == [{"node": 1, "session": "session1", "proof": "proof"}]
    wait_until(lambda: len(server.registrations) == beats + 1)
    assert server.registrations[-1]["session"] == ""


def runs(server: Server, stage: int) -> bool:
    """Launch a task and say whether it was run, or else returned."""
    server.launch(stage, python="agent_tasks:square")
    server.until(lambda: (stage, 0, 0) in {*server.ends(), *server.returned()})
    return (stage, 0, 0) in server.ends()


def test_a_task_whose_job_waits_is_ended_before_its_time_is_over(both: Both, server: Server) -> None:
    hasty, patient = both.run(4)
    wait_until(lambda: not alive(hasty))
    assert alive(patient)
    wait_until(lambda: not alive(patient))
    wait_until(lambda: len(server.registrations) == 2)
    server.acknowledge_heartbeats = True
    assert {server.end(stage)["class"] for stage in (1, 2)} == {"lost"}


def test_guardians_of_a_frozen_agent_end_each_task_in_its_own_time(both: Both, server: Server) -> None:
    hasty, patient = both.run(4)
    both.agent.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not alive(hasty))
    assert alive(patient)
    wait_until(lambda: not alive(patient))


def test_an_agent_that_dies_unheard_takes_everything_with_it(both: Both, server: Server) -> None:
    hasty, patient = both.run(LONG)
    wait_until(lambda: not alive(hasty))
    both.agent.kill()
    wait_until(lambda: not alive(patient))


def test_zygotes_of_jobs_that_have_ended_do_not_pile_up(agent: Agent, server: Server) -> None:
    for stage in range(1, SPARE + 4):
        server.launch(stage, python="agent_tasks:square", disconnect_grace=LONG + stage)
        server.result(stage)
    wait_until(lambda: len(guardians(agent)) <= SPARE)
    server.launch(100, python="agent_tasks:square", disconnect_grace=LONG + 1)
    assert server.result(100) == 0


@pytest.mark.parametrize("grace", [0, 1, 44, 45, 46, 50, 51, 60, 600, 86_400])
def test_a_task_is_killed_ten_seconds_before_the_server_gives_it_up(grace: float) -> None:
    fence = Fence()
    given_up = max(LOST, grace + MARGIN)
    assert fence.term_after(grace) < fence.kill_after(grace) <= given_up - 10
    assert fence.term_after(grace) >= min(grace, 45)
