"""Processes: start one detached from the terminal, know it again by pid and start time, stop exactly it.

Nothing here looks a process up by name, and nothing restarts one (see supervisor).
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launch import account
from launch.account import Account
from launch.errors import LaunchError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: argv, the whole environment, as whom, where its output goes, how it is asked to stop."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    runs_as: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process beyond doubt: a pid alone is used again, a pid with its start time and boot is not."""

    pid: int
    started: int
    boot: str = field(default_factory=lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def spawn(command: Command, *, dies_with_parent: bool = False) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, appending its output to its log."""
    with command.log.open("ab") as log:
        return subprocess.Popen(
            command.argv,
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # Safe with threads: the child only makes one system call, looked up before the fork.
            preexec_fn=_die_with_parent(command.stop_signal) if dies_with_parent else None,  # noqa: PLW1509
            **account.options(command.runs_as),
        )


def identify(pid: int) -> Identity | None:
    """Name the process that has this pid now, or None if there is none but perhaps its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


def is_alive(process: Identity) -> bool:
    """Tell whether this very process still runs."""
    return identify(process.pid) == process


def stop(process: Identity, *, ask: signal.Signals = signal.SIGTERM, grace: float = 30.0) -> bool:
    """Ask a process to end, and kill its group when the grace is over; tell whether asking was enough."""
    if not is_alive(process):
        return True
    os.kill(process.pid, ask)
    if wait_until(lambda: not is_alive(process), grace):
        return True
    kill_group(process)
    wait_until(lambda: not is_alive(process), grace)
    return False


def end_child(child: subprocess.Popen[bytes], command: Command) -> None:
    """End a child of this process as its command asks to be ended, killing it when the grace is over."""
    if child.poll() is None:
        child.send_signal(command.stop_signal)
    try:
        child.wait(command.grace)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def kill_group(process: Identity) -> None:
    """Kill a process and what it started in its own session."""
    if is_alive(process):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look again until a condition holds or the time is over; tell which."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def await_ready(
    child: subprocess.Popen[bytes], ready: Callable[[], bool], command: Command, seconds: float
) -> None:
    """Wait until a started command is ready; its early end or its silence is an error that names the log."""
    wait_until(lambda: child.poll() is not None or ready(), seconds)
    if child.poll() is not None:
        raise LaunchError(f"{command.name} ended with status {child.returncode}:\n{tail(command.log)}")
    if not ready():
        late = f"{command.name} was not ready after {seconds:.0f} s"
        raise LaunchError(f"{late}, see {command.log}:\n{tail(command.log)}")


def tail(log: Path, lines: int = 15) -> str:
    """Give the last lines of a log."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _die_with_parent(ask: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(ask))
