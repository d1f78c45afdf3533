"""The faults of the campaign: each lands on a site with work in flight, and is healed before it returns."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.campaign.clock import fake_clock_library
from tests.campaign.site import Site

Fault = Callable[[Site, str], None]


def redis_full(site: Site, agent: str) -> None:
    with site.client() as client:
        client.config_set("maxmemory", "1")
        time.sleep(10)
        client.config_set("maxmemory", "0")


def redis_read_only(site: Site, agent: str) -> None:
    with site.client() as client:
        client.config_set("min-replicas-to-write", "1")
        time.sleep(10)
        client.config_set("min-replicas-to-write", "0")


def redis_frozen(site: Site, agent: str) -> None:
    site.redis.send_signal(signal.SIGSTOP)
    time.sleep(15)
    site.redis.send_signal(signal.SIGCONT)


def redis_flushed(site: Site, agent: str) -> None:
    with site.client() as client:
        for _ in range(3):
            client.flushall()
            time.sleep(0.3)


def database_restarted(site: Site, agent: str) -> None:
    site.kill_database(signal.SIGQUIT)
    time.sleep(2)
    site.start_database()


def database_frozen(site: Site, agent: str) -> None:
    with site.database_frozen():
        time.sleep(15)


def database_lost_commits(site: Site, agent: str) -> None:
    """What was committed in the last seconds is gone, as after a failover to a replica that lags."""
    site.kill_database(signal.SIGINT)
    site.start_database(synchronous_commit="off", wal_writer_delay="10s", wal_writer_flush_after="0")
    time.sleep(3)
    site.kill_database(signal.SIGKILL)
    site.start_database()


def agent_disk_full(site: Site, agent: str) -> None:
    filler = site.folder / agent / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"\0" * (1 << 16))
    time.sleep(8)
    filler.unlink(missing_ok=True)


def clock_forward(site: Site, agent: str) -> None:
    _step(site, 60)


def clock_back(site: Site, agent: str) -> None:
    _step(site, -60)


def agent_killed(site: Site, agent: str) -> None:
    site.stack.kill(agent)
    time.sleep(1)
    site.start_agent(agent)


def agent_stopped(site: Site, agent: str) -> None:
    _stop(site, agent, 15)


def agent_stopped_90(site: Site, agent: str) -> None:
    _stop(site, agent, 90)


def agent_cloned(site: Site, agent: str) -> None:
    copy = copied(site.folder / agent, site.folder / f"{agent}-clone")
    site.start_agent(agent, copy, "clone")
    time.sleep(8)
    site.stack.kill("clone")


def _cut(seconds: float, *directions: str) -> Fault:
    def fault(site: Site, agent: str) -> None:
        for gate in site.gates[agent]:
            gate.cut(*directions)
        time.sleep(seconds)
        for gate in site.gates[agent]:
            gate.heal()

    return fault


def _step(site: Site, seconds: int) -> None:
    assert site.clock is not None
    now = int(site.clock.read_text().strip() or 0)
    site.clock.write_text(f"{now + seconds:+d}\n")
    time.sleep(8)


def _stop(site: Site, agent: str, seconds: float) -> None:
    process = site.stack.processes[agent]
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)


FAULTS: dict[str, Fault] = {
    each.__name__: each
    for each in (
        redis_full, redis_read_only, redis_frozen, redis_flushed, database_restarted, database_frozen, database_lost_commits,
        agent_disk_full, clock_forward, clock_back, agent_killed, agent_stopped, agent_cloned,
    )
} | {
    "cut_up_10": _cut(10, "up"), "cut_down_10": _cut(10, "down"), "cut_both_10": _cut(10, "up", "down"),
    "cut_up_90": _cut(90, "up"), "cut_down_90": _cut(90, "down"), "cut_both_90": _cut(90, "up", "down"),
    "agent_stopped_90": agent_stopped_90,
}  # fmt: skip


def impossible(fault: str) -> str:
    """Return why a fault cannot be made on this machine; empty if it can."""
    if fault.startswith("clock") and fake_clock_library() is None:
        return "libfaketime is not installed"
    if fault == "agent_disk_full" and os.geteuid():
        return "only root may mount a small file system"
    return ""


def small_disk(folder: Path) -> None:
    """Give an agent a file system of 64 MB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=True)


def forget_small_disk(folder: Path) -> None:
    """Take it away."""
    subprocess.run(["umount", "-l", str(folder)], check=False)


def copied(folder: Path, to: Path) -> Path:
    """Copy an agent's data folder as it is at this moment; what goes meanwhile is not in the copy."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", str(folder), str(to)], stderr=subprocess.DEVNULL, check=False)
    return to
