"""Workers' processes run anybody's code: whatever they write, the agent goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from switchyard.agent.disk.journal import read
from switchyard.agent.worker.pipes import STATUS, Page, new_page
from tests.agent.process import Agent
from tests.agent.server import Server
from tests.agent.test_reuse import run


@pytest.mark.parametrize("encoder", ["garbage", "indented", "raises"])
def test_a_patched_json_changes_no_end(agent: Agent, server: Server, encoder: str) -> None:
    server.launch(1, 4, python="careless_tasks:patches_json", args=[encoder])
    server.until(lambda: server.have_ended(4))
    assert set(server.ends().values()) == {'{"text": "a"}'}
    assert all(end["logs"]["stdout"]["bytes"] == 6 and end["metrics"] == {"rows": 1} for end in server.others())
    assert len(server.registrations) == 1


#: What is no end of task 0 of the stage that it is filled in for.
GARBAGE = (
    "garbage", "", "null", "[]", "[[", "{}", "[%d, 0, 1, 1, 1, \"null\"]", "[%d, 0, 0, 1, 1, 5]", "[" * 100_000,
    '{"stage": %d, "attempt": 0, "index": 0}', '{"skipped": [%d, 0, 1]}', '{"skipped": 1}',
)  # fmt: skip


def test_what_is_no_end_of_a_task_ends_the_worker_alone(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent("--slots", "1")
    for stage, garbage in enumerate(GARBAGE, 1):
        line = garbage % stage if "%" in garbage else garbage
        server.launch(stage, python="careless_tasks:writes_everywhere", args=[line])
        failed = server.end(stage)
        assert (failed["outcome"], failed["class"]) == ("FAILED", "user_error")
        assert failed["error"].startswith(f"its process wrote {line[:40]!r}"[:-1])
    assert run(server, 100, "returns", "well") == "well"
    assert agent.process.poll() is None
    assert read(agent.data / "journal")[1]


def test_all_tasks_behind_garbage_have_failed(start_agent: Callable[..., Agent], server: Server) -> None:
    """They have run: which of them ended well is not known."""
    start_agent("--slots", "1")
    server.launch(1, 8, python="careless_tasks:writes_everywhere", args=["garbage"])
    server.until(lambda: server.have_ended(8))
    classes = {index: value for (_, _, index), value in server.ends().items()}
    assert classes[0] == "user_error"
    assert all(value in ("user_error", str(index)) for index, value in classes.items())


def test_a_journal_that_holds_garbage_begins_a_new_session(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent()
    agent.kill()
    journal = agent.data / "journal"
    with journal.open("ab") as file:
        file.write(b"garbage\t5c99346d\n")
    begun = start_agent(data=agent.data)
    assert (len(server.registrations), begun.process.poll()) == (2, None)
    assert server.registrations[1]["session"] == ""


def test_a_status_that_was_half_written_is_that_of_before(tmp_path: Path) -> None:
    page = Page(new_page(str(tmp_path / "page")))
    STATUS.pack_into(page.memory, 0, 8, 1, 0, 7, 0, 0, 0, 7)
    assert page.status().claimed == 7
