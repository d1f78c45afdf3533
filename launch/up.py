"""The verbs of the Makefile: up, down, status, demo.

They start and stop the supervisor (see start), which does the rest.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from launch import account, credentials, folders, processes, record, web
from launch.config import ROOT, Config
from launch.errors import LaunchError
from launch.start import READY
from launch.terminal import say

#: How long a demo waits for an agent; without any it goes on, and the job says what it lacks.
NODE_SECONDS = 30.0
#: The exit status of `status` where there is no stack.
NOTHING_RUNS = 3
EXAMPLE = "examples/standard-library.yaml"


def up(config: Config) -> int:
    """Start a stack and return when it is ready; one that runs already is only named."""
    run = _run_folder(config)
    if known := _running_record(run):
        return _say_running(config, known)
    _clear(run)
    web.require_free_port(config)
    if config.database_url or config.redis_url:
        # Here and only now: the supervisor, which stays, has no use for clients of these servers.
        from launch import given

        given.require(config)
    child = subprocess.Popen(
        (sys.executable, "-m", "launch", "supervise"),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    return 0 if _relay(child) else 1


def down(config: Config) -> int:
    """Stop exactly what was started: the agents first, the database last."""
    run = config.data / "run"
    known = record.read(run) if run.exists() else None
    if known is None:
        say(f"Nothing runs in {config.data}.")
        return 0
    say(f"Stopping {known.url}")
    # Ranked above all, the supervisor is asked first, and stops the others; what it left is stopped after it.
    processes.stop_in_order([known.supervisor, *known.processes], _say)
    record.forget(run)
    return 0


def status(config: Config) -> int:
    """Say what runs; the exit status tells whether the stack is ready."""
    run = config.data / "run"
    known = record.read(run) if run.exists() else None
    everything = [known.supervisor, *known.processes] if known else []
    if known is None or not any(processes.is_there(each.identity) for each in everything):
        say(f"Nothing runs in {config.data}.")
        return NOTHING_RUNS
    for each in known.processes:
        say(f"{each.name:12} {_state(each):6} {each.identity.pid}")
    if not processes.is_alive(known.supervisor.identity):
        say("Nobody watches these processes: their supervisor was killed. make up starts anew, make down stops them.")
    ready = web.is_ready(known.url)
    say(f"{known.url} is {'ready' if ready else 'not ready'}")
    return 0 if ready else 1


def demo(config: Config) -> int:
    """Start a stack, run an example on it, show its result; it stays up."""
    if status := up(config):
        return status
    token = credentials.load(config.data).token
    processes.wait_until(lambda: web.has_a_node(config, token), NODE_SECONDS)
    env = os.environ | {"SWITCHYARD_URL": config.url, "SWITCHYARD_TOKEN": token}
    program = Path(sys.executable).with_name("switchyard")
    # Ctrl-C reaches the command itself, which says what becomes of the job; what runs is told of in any case.
    signal.signal(signal.SIGINT, lambda *_: None)
    done = subprocess.run((program, "submit", EXAMPLE, "--wait"), env=env, cwd=ROOT, check=False)
    say("The stack is still up (make down stops it)")
    _say(f"pages   {config.url}/ui/")
    _say(f"API     {config.url}/api/v1/docs")
    _say(f"try     SWITCHYARD_URL={config.url} .venv/bin/switchyard jobs")
    return done.returncode


def _run_folder(config: Config) -> Path:
    return folders.private(folders.data_folder(config.data, account.borrowed()) / "run")


def _running_record(run: Path) -> record.Record | None:
    """Give the record of a stack whose supervisor lives."""
    known = record.read(run)
    return known if known and processes.is_alive(known.supervisor.identity) else None


def _say_running(config: Config, known: record.Record) -> int:
    if known.url != config.url:
        raise LaunchError(f"{config.data} is in use by {known.url}. Stop it (make down), or choose a DATA_DIR.")
    say(f"Already running at {known.url}/ui/ (make down stops it)")
    return 0


def _clear(run: Path) -> None:
    """Stop what a supervisor that was killed left behind."""
    if known := record.read(run):
        say("The last run was not stopped by make down; stopping what it left")
        processes.stop_in_order(known.processes, _say)
        record.forget(run)


def _relay(child: subprocess.Popen[str]) -> bool:
    """Print what the supervisor says until it says READY; tell whether it did."""
    assert child.stdout is not None, "asked for by PIPE"
    try:
        for line in child.stdout:
            if line.rstrip("\n") == READY:
                return True
            say(line, end="")
    except KeyboardInterrupt:
        child.terminate()
        say("Interrupted: stopping what was started")
    with suppress(KeyboardInterrupt):
        child.wait()
    return False


def _state(process: processes.Running) -> str:
    if processes.is_alive(process.identity):
        return "runs"
    return "left" if processes.is_there(process.identity) else "ended"


def _say(line: str) -> None:
    say(f"  {line}")
