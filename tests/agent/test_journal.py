"""The journal: it stays small while work goes on, and what it drops was told and heard."""

import resource
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from switchyard.agent import recovery
from switchyard.agent.disk.journal import LARGE, MOSTLY_OVER, Journal, read
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, running

#: Bytes of a result, and how many results are on their way at once at most.
SIZE, AT_ONCE = 1000, 600


def wait_for_lines(journal: Path, text: str, count: int) -> None:
    wait_until(lambda: journal.read_text().count(text) == count)


def test_the_journal_stays_small_under_steady_load(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    sizes = []
    for stage in range(2, 14):
        server.launch(stage, AT_ONCE, python="agent_tasks:large", args=[SIZE])
        server.result(stage, AT_ONCE - 1)
        sizes.append((first.data / "journal").stat().st_size)
    assert AT_ONCE * SIZE < LARGE
    assert max(sizes) < (MOSTLY_OVER + 1) * LARGE < len(server.ends()) * SIZE
    assert any(after < before for before, after in pairwise(sizes))
    first.kill()
    server.resume = True
    start_agent()
    assert server.end(1)["class"] == "lost"
    assert not server.returned()


def test_a_journal_written_anew_tells_a_successor_all_that_was_not_acknowledged(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent()
    journal = first.data / "journal"
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    server.launch(2, 3, command="echo spoken; exit 3", shell=True)
    wait_for_lines(journal, "exited with 3", 3)
    before, count = journal.stat().st_ino, 0
    while journal.stat().st_ino == before:
        server.launch(3, 100, first=count, python="agent_tasks:large", args=[SIZE])
        count += 100
        wait_for_lines(journal, "\n[3,0,", count)
    (tmp_path / "four").mkdir()
    server.launch(4, 30, python=WAIT, args=[str(tmp_path / "four")])
    running(tmp_path / "four")
    first.kill()
    server.client.delete("reports")
    server.resume = True
    start_agent()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 34 + count)
    assert [server.end(2, index)["class"] for index in range(3)] == ["user_error"] * 3
    assert sum(stage == 3 for stage, _, _ in server.ends()) == count
    assert {task for task, value in server.ends().items() if value == "lost"} == {(1, 0, 0), (4, 0, 0)}


def test_an_entry_launched_two_agents_ago_is_known(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    first.kill()
    server.resume = True
    second = start_agent()
    second.kill()
    start_agent()
    server.entry -= 1
    server.launch(1, 30, python=WAIT, args=[str(tmp_path)])
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
    server.until(lambda: len(server.ends()) + len(server.returned()) == 31)


def emptied(data: bytes) -> bytes:
    return b""


def followed_by_nuls(data: bytes) -> bytes:
    return data + bytes(4096)


def cut_in_a_line(data: bytes) -> bytes:
    return data[:-5]


def changed_in_its_middle(data: bytes) -> bytes:
    at = data.index(b"launched") + 3
    return data[:at] + b"X" + data[at + 1 :]


@pytest.mark.parametrize("spoil", [emptied, followed_by_nuls, cut_in_a_line, changed_in_its_middle])
def test_an_agent_starts_on_a_journal_that_is_not_whole_with_a_new_session(
    start_agent: Callable[..., Agent],
    server: Server,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    first = start_agent()
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    first.kill()
    journal = first.data / "journal"
    journal.write_bytes(spoil(journal.read_bytes()))
    server.resume = True
    start_agent()
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
    assert server.registrations[1]["session"] == ""
    assert "the journal is not whole" in capfd.readouterr().out
    assert set(server.ends()) == {(2, 0, 0)}


def test_after_a_reboot_the_session_does_not_go_on(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    first = start_agent()
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    first.kill()
    assert recovery.last_session(first.data / "journal", Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    assert not recovery.last_session(first.data / "journal", "another boot")


def test_a_write_that_fails_is_undone_until_the_journal_is_begun_anew(tmp_path: Path, limited: Callable[[int], None]) -> None:
    journal = Journal(tmp_path / "journal", {"session": "s", "boot": "b", "highest": 0})
    journal.commit()
    journal.reported(1)
    size = (tmp_path / "journal").stat().st_size
    limited(size + 10)
    journal.write(b'["a line that is longer"]\n' * 3)
    journal.reported(2)
    assert journal.broken
    said, whole = read(tmp_path / "journal")
    assert (said[1:], whole) == ([{"reported": 1}], False)
    journal.rewrite([{"large": "x" * 1000}])
    assert journal.broken
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    limited(resource.RLIM_INFINITY)
    journal.rewrite([{"small": 1}])
    journal.reported(3)
    said, whole = read(tmp_path / "journal")
    assert (said[1:], whole) == ([{"small": 1}, {"reported": 3}], True)


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Give a function that bounds how large a file may become: a write across the bound is short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
