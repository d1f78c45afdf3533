"""Commands of processes, and the start of a process detached from the terminal.

Which commands there are is said elsewhere (postgres, redis, stack).
"""

import ctypes
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from launch import account
from launch.account import Account
from launch.errors import LaunchError
from launch.processes import Running, identify, wait_until

PR_SET_PDEATHSIG = 1
TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: argv, the whole environment, as whom, where its output goes, how it is asked to stop."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    rank: int
    runs_as: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 30.0


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


def running(child: subprocess.Popen[bytes], command: Command) -> Running | None:
    """Say what runs and how it is stopped, or None if it has ended already."""
    identity = identify(child.pid)
    if identity is None:
        return None
    return Running(command.name, command.rank, identity, command.stop_signal, command.grace)


def await_ready(child: subprocess.Popen[bytes], ready: Callable[[], bool], command: Command, seconds: float) -> None:
    """Wait until a started command is ready; its early end or its silence is an error that shows its log."""
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
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _die_with_parent(ask: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(ask))
