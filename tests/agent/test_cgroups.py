"""Control groups: those that the kernel of this machine has, and what the agent makes of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchyard.agent.processes import cgroups
from switchyard.agent.processes.cgroups import V2, Version
from tests.agent.process import ROOT, Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import running

GULP = 'x = bytearray(1 << 30); x[::4096] = b"x" * (1 << 18)'
DEMAND = {"cpus": 1000, "mem": 100}
ROOTS = map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
UNIFIED = next((path for path in ROOTS if (path / "cgroup.procs").exists()), None)


@pytest.fixture
def base() -> Path:
    """Give the folder that agents which are started here make their groups in."""
    found = cgroups.find("switchyard-look")
    if found is None or found.version is V2:
        pytest.skip("no memory hierarchy of cgroup v1 is delegated to this process")
    return found.base


def groups_of(base: Path, agent: Agent) -> list[Path]:
    return list(base.glob(f"switchyard-{(agent.data / 'identity').read_text()}*"))


def test_a_grandchild_that_takes_too_much_at_once_ends_its_task_alone(
    base: Path, agent: Agent, server: Server, tmp_path: Path
) -> None:
    assert server.registrations[0]["info"]["memory"] == "cgroup v1"
    server.launch(1, python="agent_tasks:wait", args=[str(tmp_path)])
    running(tmp_path)
    server.launch(2, command=["/bin/sh", "-c", f"{sys.executable} -c '{GULP}'; exit 3"], demand=DEMAND)
    end = server.end(2)
    assert (end["class"], end["exit_code"]) == ("out_of_memory", 3)
    assert "more memory than it asked for" in end["error"]
    workers = len(groups_of(base, agent))
    server.launch(3, command=["/bin/true"], demand=DEMAND)
    assert server.result(3) is None
    assert len(groups_of(base, agent)) == workers == 2
    (tmp_path / "go").touch()
    assert server.result(1) == "done"


def test_a_python_task_that_takes_too_much_at_once_ends_with_its_worker_alone(
    base: Path, agent: Agent, server: Server, tmp_path: Path
) -> None:
    server.launch(1, python="agent_tasks:wait", args=[str(tmp_path)])
    running(tmp_path)
    server.launch(2, python="agent_tasks:gulp", demand=DEMAND)
    assert server.end(2)["class"] == "out_of_memory"
    server.launch(3, 2, python="agent_tasks:square", demand=DEMAND)
    assert server.result(3, 1) == 1
    (tmp_path / "go").touch()
    assert server.result(1) == "done"


def test_who_is_killed_within_its_memory_has_not_run_out_of_it(base: Path, agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:kill_self", demand=DEMAND)
    assert server.end(1)["class"] == "killed"


def test_a_worker_is_bounded_as_the_task_that_it_runs_asks(
    base: Path, start_agent: Callable[..., Agent], server: Server
) -> None:
    agent = start_agent("--slots", "1")
    limits = []
    for stage, demand in enumerate((DEMAND, {"cpus": 1000}, {"cpus": 1000, "mem": 200}), 1):
        server.launch(stage, python="agent_tasks:square", demand=demand)
        server.result(stage)
        (group,) = groups_of(base, agent)
        limits.append(int((group / "memory.limit_in_bytes").read_text()) >> 20)
    assert 132 <= limits[0] < 200 < 232 <= limits[2] < 300 < limits[1]


def test_no_group_is_left_by_an_agent_that_stops(base: Path, agent: Agent, server: Server) -> None:
    server.launch(1, 2, python="agent_tasks:square")
    server.result(1, 1)
    assert groups_of(base, agent)
    agent.stop()
    assert not groups_of(base, agent)


def test_no_group_is_left_by_an_agent_that_is_killed_with_work(
    base: Path, agent: Agent, server: Server, tmp_path: Path
) -> None:
    server.launch(1, command=["/bin/sh", "-c", f"echo 1 > {tmp_path}/running-0; setsid sleep 1000"], demand=DEMAND)
    running(tmp_path)
    assert groups_of(base, agent)
    agent.kill()
    wait_until(lambda: not groups_of(base, agent))


def test_groups_that_nobody_removed_are_removed_at_the_next_start(
    base: Path, agent: Agent, start_agent: Callable[..., Agent]
) -> None:
    agent.stop()
    left = base / f"switchyard-{(agent.data / 'identity').read_text()}.worker-1-1"
    left.mkdir()
    process = subprocess.Popen(["sleep", "1000"])
    (left / "cgroup.procs").write_text(str(process.pid))
    start_agent(data=agent.data)
    assert process.wait() == -signal.SIGKILL
    assert not left.exists()


def test_an_agent_that_is_told_not_to_makes_no_groups_and_looks_at_what_is_resident(
    start_agent: Callable[..., Agent], server: Server, base: Path, tmp_path: Path
) -> None:
    agent = start_agent("--slots", "2", "--no-cgroups")
    assert server.registrations[0]["info"]["memory"] == "resident size"
    server.launch(1, python="agent_tasks:eat", args=[str(tmp_path)], demand=DEMAND)
    assert server.end(1)["class"] == "out_of_memory"
    assert not groups_of(base, agent)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a group of version 2 that is ours, as a service manager delegates one."""
    if UNIFIED is None or not os.access(UNIFIED, os.W_OK):
        pytest.skip("no hierarchy of cgroup v2 is delegated to this process")
    folder = UNIFIED / f"switchyard-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    cgroups.sweep(str(folder / "x"))
    folder.rmdir()


#: Version 2 as far as a hierarchy without controllers has it: any file that takes a number or "max" is the limit.
BARE = "replace(cgroups.V2, limit='cgroup.max.depth', needed=(), wanted=())"
INSIDE = f"""
import os, sys
from dataclasses import replace
from pathlib import Path
from switchyard.agent.processes import cgroups
base = Path(sys.argv[1])
(base / "cgroup.procs").write_text("0")
groups = cgroups.Groups(base, {BARE}, "x")
def inside(): return sorted(str(path.parent.relative_to(base)) for path in base.rglob("cgroup.procs") if path.read_text())
def leave(group):
    while not group.remove(): pass
"""


def run_in(folder: Path, script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", INSIDE + script, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_in_version_2_agent_and_workers_each_have_a_leaf(folder: Path) -> None:
    script = """
groups.enter()
group = groups.make(1, 2)
if not (pid := os.fork()):
    cgroups.join(str(group.folder)); os.execvp("sleep", ["sleep", "1000"])
while len(inside()) < 2: pass
print(inside())
leave(group)
print(os.waitpid(pid, 0)[1], inside())
groups.leave()
print(inside(), len(list(base.glob("x*"))))
"""
    assert run_in(folder, script) == ["['x.agent', 'x.worker-1-2']", "9 ['x.agent']", "['.'] 0"]


def test_in_version_2_the_agent_leaves_a_group_alone_that_others_are_in(folder: Path) -> None:
    script = """
pid = os.fork() or os.execvp("sleep", ["sleep", "1000"])
try:
    groups.enter()
except OSError as error:
    print(error)
print(inside(), len(list(base.glob("x*"))))
os.kill(pid, 9)
os.waitpid(pid, 0)
"""
    assert run_in(folder, script) == ["other processes are in the agent's control group", "['.'] 0"]


def test_an_agent_that_begins_again_in_its_leaf_goes_on_there(folder: Path) -> None:
    script = """
groups.enter()
groups.enter()
print(inside())
groups.leave()
"""
    assert run_in(folder, script) == ["['x.agent']"]


@pytest.mark.parametrize(
    ("version", "events", "endless"),
    [
        (cgroups.V1, "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n", "-1"),
        (cgroups.V2, "low 0\nhigh 0\nmax 51\noom 4\noom_kill {}\noom_group_kill 0\n", "max"),
    ],
)
def test_both_versions_files_are_read_and_written_as_the_kernel_has_them(
    tmp_path: Path, version: Version, events: str, endless: str
) -> None:
    group = cgroups.Group(tmp_path, version)
    (tmp_path / "memory.stat").write_text(f"cache 999999999\nactive_anon 1\n{version.own} {50 << 20}\n")
    group.bound(100)
    assert (tmp_path / version.limit).read_text() == str(150 << 20)
    group.bound(0)
    assert (tmp_path / version.limit).read_text() == endless
    told = []
    for kills in (0, 1, 1, 3):
        (tmp_path / version.kills).write_text(events.format(kills))
        told.append(group.killed())
    assert told == [False, True, False, True]
