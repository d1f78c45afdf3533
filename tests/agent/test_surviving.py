"""Surviving: what becomes of running tasks, and of what was not told, when an agent dies, is cut off or told to stop."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from switchyard.messaging.messages import Launch
from tests.agent.process import SECONDS, Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, alive, running


def guardians(agent: Agent) -> list[int]:
    """Return the processes that guard what this agent runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
            if b"switchyard.agent.processes.guardian" in path.read_bytes() and parent == agent.process.pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_the_guardian_ends_everything_when_the_agent_is_killed(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="agent_tasks:stubborn", args=[str(tmp_path)])
    server.launch(2, command=f"trap '' TERM; echo $$ > {tmp_path}/command; sleep 1000; true", shell=True)
    wait_until(lambda: (tmp_path / "command").exists() and (tmp_path / "command").read_text())
    pids = [running(tmp_path), int((tmp_path / "child").read_text()), int((tmp_path / "command").read_text())]
    agent.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids))


def test_a_frozen_agent_is_fenced_by_its_guardian(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    agent = start_agent("--slots", "1", "--heartbeat", "0.2", "--fence", "2")
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    pid = running(tmp_path)
    server.until(server.started)
    agent.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not alive(pid))
    agent.process.send_signal(signal.SIGCONT)


def test_a_successor_tells_what_was_lost_and_returns_the_rest(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    def begun() -> set[tuple[int, int, int]]:
        return {task for task in server.started() if task[0] == 2}

    first = start_agent()
    server.launch(1, 2, python="agent_tasks:square")
    server.until(lambda: len(server.ends()) == 2)
    server.launch(2, 40, python=WAIT, args=[str(tmp_path)])
    server.until(lambda: len(begun()) == 2)
    first.kill()
    server.resume = True
    start_agent()
    assert server.registrations[1]["session"] == "session1"
    server.until(lambda: len(server.ends()) + len(server.returned()) == 42)
    lost = {task for task, value in server.ends().items() if value == "lost"}
    assert len(lost) == 2
    assert lost == begun()


def test_a_successor_reports_ends_that_were_not_acknowledged(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent()
    server.launch(1, 3, python="agent_tasks:square")
    while len(server.ends()) < 3:
        server.command()
        server.report()
    first.kill()
    server.client.delete("reports")
    server.reports.pop()
    server.acknowledged -= 1
    server.resume = True
    start_agent()
    server.until(lambda: len(server.ends()) == 3)
    assert server.ends() == {(1, 0, index): str(index**2) for index in range(3)}


def test_what_a_successor_has_returned_it_does_not_run_when_told_again(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent()
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    first.kill()
    server.resume = True
    start_agent()
    server.entry -= 1
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
    server.until(lambda: len(server.ends()) + len(server.returned()) == 31)


def test_an_agent_that_the_server_has_given_up_begins_anew(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent()
    server.launch(1, 4, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    first.kill()
    start_agent()
    server.launch(2, python="agent_tasks:square")
    server.result(2)
    assert set(server.ends()) == {(2, 0, 0)}
    assert not server.returned()


def test_a_second_agent_on_the_same_folder_is_refused(agent: Agent, start_agent: Callable[..., Agent]) -> None:
    second = start_agent(data=agent.data)
    assert second.process.wait(timeout=SECONDS) == 3
    assert "runs on" in second.stop()


def test_a_bad_token_is_a_clear_end(start_agent: Callable[..., Agent], server: Server) -> None:
    server.token = "right"
    agent = start_agent(env={"SWITCHYARD_NODE_TOKEN": "wrong"})
    assert agent.process.wait(timeout=SECONDS) == 3
    assert "SWITCHYARD_NODE_TOKEN" in agent.stop()


def test_an_agent_without_a_token_says_where_to_get_one(start_agent: Callable[..., Agent], server: Server) -> None:
    server.token = "right"
    said = start_agent().stop()
    assert "SWITCHYARD_NODE_TOKEN is not set" in said
    assert "credentials.json" in said
    assert "/api/v1/tokens" in said


def test_a_bad_password_of_the_broker_is_a_clear_end(start_agent: Callable[..., Agent], server: Server) -> None:
    mark = "&" if "?" in server.redis_url else "?"
    agent = start_agent(env={"REDIS_URL": f"{server.redis_url}{mark}username=nobody&password=wrong"})
    assert agent.process.wait(timeout=SECONDS) == 3
    assert "REDIS_URL" in agent.stop()
    assert server.registrations == []


def test_an_agent_that_no_command_would_reach_is_no_node_yet(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        agent = Agent(server, tmp_path, env={"REDIS_URL": f"redis://127.0.0.1:{listener.getsockname()[1]}/0"})
        for _ in range(2):
            listener.accept()[0].close()
    agent.stop()
    assert server.registrations == []


def test_settings_of_django_in_the_environment_mean_nothing_to_an_agent(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    start_agent(env={"DJANGO_SETTINGS_MODULE": "scheduler_project.settings"})
    server.launch(1, python="agent_tasks:square")
    assert server.result(1) == 0


def test_registration_is_tried_until_the_server_is_there(server: Server, start_agent: Callable[..., Agent]) -> None:
    server.down_for = 3
    agent = start_agent()
    assert agent.process.poll() is None
    assert server.sessions == 1


def test_an_agent_with_nothing_to_tell_goes_at_once(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent("--slots", "1", "--grace", "60")
    server.launch(1, python="agent_tasks:square")
    server.until(server.ends)
    agent.stop()
    assert agent.process.returncode == 0


def test_only_commands_that_launch_are_confirmed(agent: Agent, server: Server) -> None:
    server.command()
    server.command(cancels=[[7, 0, [[0, 1]]]])
    server.launch(1, python="agent_tasks:square")
    server.until(server.ends)
    assert {number for report in server.reports for number in report.seen} == {3}


def test_term_drains(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    agent.process.send_signal(signal.SIGTERM)
    server.until(lambda: len(server.returned()) >= 28)
    (tmp_path / "go").touch()
    server.until(lambda: agent.process.poll() is not None)
    agent.stop()
    assert agent.process.returncode == 0
    assert len(server.ends()) + len(server.returned()) == 30
    assert "lost" not in server.ends().values()
    assert server.http_heartbeats[-1]["figures"] == {"leaving": True, "left": True}


def test_what_has_left_with_nothing_to_tell_begins_anew(
    agent: Agent, server: Server, start_agent: Callable[..., Agent]
) -> None:
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    server.command()
    agent.stop()
    start_agent()
    first, second = server.registrations
    assert second["session"] == ""
    assert second["info"]["agent"] == first["info"]["agent"]


def test_what_leaves_without_being_heard_goes_on_with_its_session(server: Server, start_agent: Callable[..., Agent]) -> None:
    agent = start_agent("--slots", "1", "--grace", "0.1")
    server.launch(1, python="agent_tasks:square")
    # The report of the end is taken and never acknowledged; one before it may tell that the command has arrived.
    assert server.report() is not None
    while not server.ends():
        server.command()
        assert server.report() is not None
    agent.stop()
    assert not any("left" in beat["figures"] for beat in server.http_heartbeats)
    server.resume = True
    start_agent()
    assert server.registrations[1]["session"] == "session1"
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0


def test_what_outlives_the_grace_of_a_stop_is_lost(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    agent = start_agent("--slots", "1", "--grace", "0.3")
    server.launch(1, python="agent_tasks:stubborn", args=[str(tmp_path)])
    pids = [running(tmp_path), int((tmp_path / "child").read_text())]
    agent.process.send_signal(signal.SIGTERM)
    assert server.end(1)["class"] == "lost"
    agent.stop()
    assert not any(map(alive, pids))


def test_heartbeats_go_by_redis_and_are_acknowledged_by_commands(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    start_agent("--slots", "1", "--heartbeat", "0.2", "--fence", "3")
    server.acknowledge_heartbeats = False
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    # More than three seconds of them: by HTTP alone the task would have been fenced.
    for number in range(1, 21):
        assert server.client.blpop(["heartbeats"], timeout=SECONDS)
        server.command(heartbeat=number)
    (tmp_path / "go").touch()
    assert server.result(1) == "done"


def test_an_agent_that_is_not_heard_ends_its_tasks_and_comes_back(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    start_agent("--slots", "1", "--heartbeat", "0.2", "--fence", "1.5")
    server.acknowledge_heartbeats = False
    server.resume = True
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    pid = running(tmp_path)
    wait_until(lambda: not alive(pid))
    wait_until(lambda: len(server.registrations) == 2)
    server.acknowledge_heartbeats = True
    assert server.end(1)["class"] == "lost"
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0


def test_losing_the_zygote_fails_what_ran_and_no_more(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    pid = running(tmp_path)
    for guardian in guardians(agent):
        os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 30)
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0


def test_a_launch_of_an_unknown_stage_is_not_confirmed_until_it_is_described(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    first = start_agent()
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    first.kill()
    server.resume = True
    start_agent()
    server.entry += 1
    launch = Launch(server.entry, 1, 0, [[1, 2]], {"cpus": 1000}, [])
    server.command(launches=[launch])
    number = server.number
    server.launch(2, python="agent_tasks:square")
    server.result(2)
    assert number not in {seen for report in server.reports for seen in report.seen}
    assert not server.returned()
    server.entry -= 2
    server.launch(1, first=1, python="agent_tasks:square")
    assert server.result(1, 1) == 1
