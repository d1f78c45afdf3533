"""Inheriting: what tasks wrote before their agent died reaches the server by its successor, whole and once."""

from collections.abc import Callable
from pathlib import Path

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_telling import log, whole

Start = Callable[..., Agent]


def chatting(folder: Path) -> str:
    """Return a command that writes, waits until it may go on, writes more, says so, and does not end."""
    return (
        f"echo begun; touch {folder}/begun; while [ ! -e {folder}/go ]; do sleep 0.01; done; "
        f"echo more; touch {folder}/more; sleep 1000"
    )


def leave_output(first: Agent, server: Server, tmp_path: Path) -> None:
    """Have tasks write while the server takes no bytes, some of which end, and kill their agent."""
    server.down = True
    server.launch(1, 5, python="agent_tasks:speak", args=["hello"])
    server.until(lambda: server.have_ended(5))
    server.launch(2, command=chatting(tmp_path), shell=True)
    (tmp_path / "go").touch()
    wait_until((tmp_path / "more").exists)
    first.kill()
    server.down = False


def test_a_successor_ships_what_ended_and_lost_tasks_wrote(start_agent: Start, server: Server, tmp_path: Path) -> None:
    first = start_agent()
    leave_output(first, server, tmp_path)
    assert not server.logs
    server.resume = True
    start_agent()
    for index in range(5):
        assert whole(server, server.end(1, index), "stdout") == f"hello {index}\n"
        assert whole(server, server.end(1, index), "stderr") == f"error {index}\n"
    lost = server.end(2)
    assert lost["class"] == "lost"
    assert whole(server, lost, "stdout") == "begun\nmore\n"
    wait_until(lambda: not list(first.data.glob("workers/*")))


def test_what_is_at_the_server_in_part_is_completed(start_agent: Start, server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(2, command=chatting(tmp_path), shell=True)
    wait_until(lambda: log(server, 2) == "begun\n")
    server.down = True
    (tmp_path / "go").touch()
    wait_until((tmp_path / "more").exists)
    first.kill()
    server.down, server.resume = False, True
    start_agent()
    assert whole(server, server.end(2), "stdout") == "begun\nmore\n"


def test_an_end_that_was_not_acknowledged_is_told_with_its_output(start_agent: Start, server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(1, python="agent_tasks:speak", args=["hello"])
    wait_until(lambda: log(server, 1) == "hello 0\n" and log(server, 1, stream="stderr"))
    first.kill()
    server.client.delete("reports")
    server.resume = True
    start_agent()
    assert whole(server, server.end(1), "stdout") == "hello 0\n"


def test_output_outlives_several_agents_and_the_session(start_agent: Start, server: Server, tmp_path: Path) -> None:
    leave_output(start_agent(env={"SWITCHYARD_NODE_TOKEN": "one"}), server, tmp_path)
    server.resume, server.refuse_logs = True, True
    second = start_agent(env={"SWITCHYARD_NODE_TOKEN": "one"})
    server.launch(3, python="agent_tasks:square")
    server.result(3)
    second.kill()
    server.resume, server.refuse_logs = False, False
    start_agent(env={"SWITCHYARD_NODE_TOKEN": "one"})
    wait_until(lambda: log(server, 2) == "begun\nmore\n")
    assert [log(server, 1, index) for index in range(5)] == [f"hello {index}\n" for index in range(5)]


def test_output_for_one_cluster_is_not_shipped_to_another(start_agent: Start, server: Server, tmp_path: Path) -> None:
    leave_output(start_agent(env={"SWITCHYARD_NODE_TOKEN": "one"}), server, tmp_path)
    start_agent(env={"SWITCHYARD_NODE_TOKEN": "two"})
    server.launch(3, python="agent_tasks:speak", args=["new"])
    wait_until(lambda: log(server, 3) == "new 0\n")
    assert {name.partition("/")[0] for name in server.logs} == {"3"}


def test_what_is_shipped_is_not_shipped_again(start_agent: Start, server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(1, 5, python="agent_tasks:speak", args=["hello"])
    for index in range(5):
        whole(server, server.end(1, index), "stderr")
    wait_until(lambda: first.data.joinpath("journal").read_text().count("shipped") == 10)
    first.kill()
    server.logs.clear()
    server.resume = True
    start_agent()
    server.launch(3, python="agent_tasks:speak", args=["new"])
    wait_until(lambda: log(server, 3) == "new 0\n")
    assert {name.partition("/")[0] for name in server.logs} == {"3"}
