"""Reused workers: what tasks leave behind does not reach other jobs' tasks, and what they start is as anywhere else."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchyard.agent.worker import traces
from tests.agent import careless_tasks
from tests.agent.process import ROOT, Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import alive
from tests.agent.test_telling import log


@pytest.fixture
def one_slot(start_agent: Callable[..., Agent]) -> Agent:
    """Give an agent with one slot, so that a worker takes what comes next."""
    return start_agent("--slots", "1")


def run(server: Server, stage: int, function: str, *args: Any, **more: Any) -> Any:
    """Run one task to its end, after all others; return its result."""
    count = len(server.ends()) + 1
    server.launch(stage, python=f"careless_tasks:{function}", args=list(args), **more)
    server.until(lambda: server.have_ended(count))
    return server.result(stage)


def told(server: Server, stage: int) -> tuple[str, ...]:
    """Return what the server has of the log of a stage's only task."""
    return tuple(log(server, stage, stream=stream) for stream in ("stdout", "stderr"))


def test_pools_of_processes_do_not_hang(agent: Agent, server: Server) -> None:
    server.launch(1, 2, python="careless_tasks:pools", args=[40], timeout=120)
    server.until(lambda: len(server.ends()) == 2, timeout=150)
    assert set(server.ends().values()) == {"120"}


def test_a_child_that_is_terminated_ends_at_once(agent: Agent, server: Server, tmp_path: Path) -> None:
    assert run(server, 1, "terminated", str(tmp_path / "file")) == [-15, "begun"]


def test_what_a_task_starts_ignores_and_blocks_no_signals(agent: Agent, server: Server) -> None:
    ignored = "['Signals.SIGPIPE', 'Signals.SIGXFSZ']"
    assert run(server, 1, "inherited") == f"{ignored} True set()\n"
    line = 'echo "{\\"result\\": \\"$(grep -E "Sig(Blk|Ign)" /proc/self/status | tr -s "[:space:]" " ")\\"}"'
    server.launch(2, command=f"{line} > $SWITCHYARD_REPORT", shell=True)
    blocked, others = server.result(2).removeprefix("SigBlk: ").split(" SigIgn: ")
    # The C library keeps two signals to itself, 32 and 33.
    assert (int(blocked, 16), int(others, 16) & 0x7FFFFFFF) == (0, 0)


def test_a_task_can_be_interrupted_by_its_own_threads(agent: Agent, server: Server) -> None:
    assert run(server, 1, "interrupted") == "interrupted"


def test_what_a_task_leaves_running_ends_with_it(one_slot: Agent, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    run(server, 1, "leaves_children", str(file))
    assert [alive(int(pid)) for pid in file.read_text().split()] == [False, False]
    assert run(server, 2, "children")[1] == []


def test_a_worker_without_a_mess_goes_on_with_other_jobs(one_slot: Agent, server: Server) -> None:
    first, second = (run(server, stage, "children", job=f"job{stage}")[0] for stage in (1, 2))
    assert first == second


@pytest.mark.parametrize("kind", careless_tasks.MESSES)
def test_the_mess_of_one_job_is_not_met_by_the_next(one_slot: Agent, server: Server, tmp_path: Path, kind: str) -> None:
    first = run(server, 1, "makes_mess", kind, job="first")
    seen = run(server, 2, "looks", str(tmp_path), job="second")
    # Other streams are replaced when their task ends.
    assert (seen.pop("pid") == first) == (kind == "other streams")
    assert seen == {
        "folder": [], "mode": "0o100644", "path": False, "nice": 0, "deep": True, "threads": 1, "signal": True,
    }  # fmt: skip
    wait_until(lambda: told(server, 2) == ("hello\n", "trouble\n"))


@pytest.mark.parametrize("exchange", ["all", "pointwise"])
def test_what_a_task_changes_of_what_it_is_given_is_its_own(one_slot: Agent, server: Server, exchange: str) -> None:
    texts = ['{"a": [1]}', "2"]
    need = {"stage": 9, "name": "numbers", "parallelism": 2, "exchange": exchange, "given": list(enumerate(texts))}
    more: dict[str, Any] = {"inputs": [need], "foreach": [], "items": {str(index): [[5]] for index in range(4)}}
    server.launch(1, 4, python="careless_tasks:changes", args=[[3]], kwargs={"named": {"b": [4]}}, **more)
    server.launch(1, 4, attempt=1, python="careless_tasks:changes", args=[[3]], kwargs={"named": {"b": [4]}}, **more)
    server.until(lambda: server.have_ended(8))
    for (_, _, index), text in server.ends().items():
        own = [{"a": [1]}, 2] if exchange == "all" else [[{"a": [1]}], [2]][index // 2]
        assert json.loads(text or "") == [own, [[5]], [3], {"b": [4]}]


def test_what_is_made_anywhere_below_the_folder_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    before = traces.look()["folders"]
    assert traces.look()["folders"] == before
    (tmp_path / "a" / "b" / "made").touch()
    assert traces.look()["folders"] != before


def test_a_seed_of_one_job_is_not_that_of_the_next(one_slot: Agent, server: Server) -> None:
    pid, first = run(server, 1, "draws", 1, job="first")
    assert run(server, 2, "draws", None, job="second") not in ([pid, first], [pid, random.Random(first).random()])
    assert server.result(2)[0] == pid


#: What changes a setting of Python's own modules for the whole process.
SETTINGS = (
    "decimal.getcontext().prec = 2", "logging.disable()", "logging.basicConfig()", "gc.disable()",
    "socket.setdefaulttimeout(1)", "warnings.simplefilter('error')", "locale.setlocale(locale.LC_ALL, 'C')",
    "sys.set_int_max_str_digits(700)", "os.environ.update(TZ='Asia/Tokyo'), time.tzset()",
)  # fmt: skip
ORDINARY = (
    "decimal.Decimal(1) / 3",
    "logging.getLogger('mine').info('x')",
    "warnings.warn('x')",
    "locale.getlocale()",
    "import switchyard",
)


@pytest.mark.parametrize(("lines", "seen"), [(SETTINGS, True), (ORDINARY, False)])
def test_changed_settings_of_modules_are_seen(tmp_path: Path, lines: tuple[str, ...], seen: bool) -> None:
    """Each beside those before it, in a process of their own."""
    program = [
        "import decimal, gc, locale, logging, os, socket, sys, time, warnings",
        "from switchyard.agent.worker import traces",
    ]
    for line in lines:
        program += ["before = traces.look()", line, f"assert (traces.look() != before) == {seen}, {line!r}"]
    subprocess.run([sys.executable, "-c", "\n".join(program)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)


def test_threads_that_outlive_their_task_write_nowhere(one_slot: Agent, server: Server, tmp_path: Path) -> None:
    first = run(server, 1, "prints_later", str(tmp_path))
    assert run(server, 2, "lets_speak", str(tmp_path)) == first
    end = server.end(2)
    assert (end["logs"].keys(), end["metrics"]) == ({"stdout"}, {"mine": 2})
    wait_until(lambda: told(server, 2) == ("in time\n", ""))


def test_a_worker_whose_tasks_left_threads_ends_when_it_is_idle(one_slot: Agent, server: Server, tmp_path: Path) -> None:
    pid = run(server, 1, "prints_later", str(tmp_path))
    wait_until(lambda: not alive(pid))
    assert run(server, 2, "children", job="second")[0] != pid


def test_children_do_not_tell_for_their_task(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="careless_tasks:forks_and_tells", args=[str(tmp_path)])
    updates = server.until(lambda: [update for report in server.reports for update in report.updates])
    (tmp_path / "go").touch()
    assert updates[0].metrics == {"mine": 1}
