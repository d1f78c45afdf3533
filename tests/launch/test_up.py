"""`make up` and `make down` on the real stack: ready when they say so, one a folder, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import httpx
import pytest

from launch import account, given, record, web
from launch.config import ROOT, read
from launch.errors import LaunchError
from launch.processes import is_alive, wait_until
from tests.brokers import own_broker, without_acl

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stack(data: Path, free_port: int) -> Iterator["Stack"]:
    """Give a stack of one agent that is not started yet, and stop it after the test."""
    stack = Stack(data, free_port)
    yield stack
    stack.run("down")


class Stack:
    """A stack of one agent in a folder of its own, driven as the Makefile drives it."""

    def __init__(self, data: Path, port: int) -> None:
        given = {"PORT": str(port), "DATA_DIR": str(data), "AGENTS": "1", "SLOTS": "1"}
        own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
        self.data = data
        self._env = own | given
        self.config = read(given)

    def beside(self, *argv: str) -> subprocess.CompletedProcess[str]:
        launch = (sys.executable, "-m", "launch", "run", "--")
        return subprocess.run((*launch, *argv), env=self._env, cwd=ROOT, capture_output=True, text=True, check=False)

    def run(self, verb: str, stdout: int | TextIO = subprocess.PIPE, **changed: str) -> subprocess.CompletedProcess[str]:
        argv, env = (sys.executable, "-m", "launch", verb), self._env | changed
        return subprocess.run(argv, env=env, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_stack_is_ready_when_up_returns_not_started_twice_and_gone_when_down_returns(stack: Stack) -> None:
    said = stack.run("up")
    assert said.returncode == 0, said.stderr
    assert f"Switchyard runs at {stack.config.url}/ui/" in said.stdout
    assert web.is_ready(stack.config.url)
    known = record.read(stack.data / "run")
    assert known is not None
    assert {each.name for each in known.processes} == {"postgres", "redis", "web", "scheduler", "agent-1"}
    assert stack.run("status").returncode == 0
    assert_is_not_started_again(stack)
    assert_commands_are_given_what_the_servers_have(stack)

    assert stack.run("down").returncode == 0
    assert not any(is_alive(each.identity) for each in (known.supervisor, *known.processes))
    assert stack.run("status").stdout == f"Nothing runs in {stack.data}.\n"
    assert_commands_are_given_what_the_servers_have(stack)
    assert stack.run("status").stdout == f"Nothing runs in {stack.data}.\n"


def test_up_goes_on_when_nobody_reads_what_it_says(stack: Stack) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as nobody:
        said = stack.run("up", stdout=nobody)
    assert (said.returncode, said.stderr) == (0, "")
    assert web.is_ready(stack.config.url)


def assert_commands_are_given_what_the_servers_have(stack: Stack) -> None:
    said = stack.beside(sys.executable, "manage.py", "fsck")
    assert (said.returncode, said.stdout) == (0, "all invariants hold\n"), said.stderr
    folder = stack.beside("sh", "-c", "echo $DATA_DIR; exit 7")
    assert (folder.returncode, folder.stdout) == (7, f"{stack.data}\n")
    dump = stack.beside("sh", "-c", 'pg_dump --schema-only -d "$DATABASE_URL"')
    assert "CREATE TABLE public.jobs_job " in dump.stdout, dump.stderr


def test_commands_for_an_installation_that_is_not_there_make_none(stack: Stack) -> None:
    said = stack.beside("true")
    assert said.returncode == 1
    assert f"There is no installation in {stack.data}" in said.stderr
    assert not list(stack.data.iterdir())


def assert_is_not_started_again(stack: Stack) -> None:
    again = stack.run("up")
    named = f"Already running at {stack.config.url}/ui/ (make down stops it)\n"
    assert (again.returncode, again.stdout) == (0, named)
    elsewhere = stack.run("up", PORT=str(stack.config.port + 1))
    assert elsewhere.returncode == 1
    assert f"is in use by {stack.config.url}" in elsewhere.stderr


def test_second_start_finds_what_the_first_made(stack: Stack) -> None:
    assert "shown this once" in stack.run("up", SWITCHYARD_SHUTDOWN_COMMAND=f"{sys.executable} -m launch down").stdout
    made = json.loads((stack.data / "credentials.json").read_text())
    shut_down(stack, made["token"])
    said = stack.run("up")
    assert "shown this once" not in said.stdout
    assert json.loads((stack.data / "credentials.json").read_text()) == made


def shut_down(stack: Stack, token: str) -> None:
    """Ask the stack itself to go, as Flink's clients do, and wait until nothing of it is left."""
    known = record.read(stack.data / "run")
    assert known is not None
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.delete(f"{stack.config.url}/cluster", headers=headers, trust_env=False).json() == {}
    each = (known.supervisor, *known.processes)
    assert wait_until(lambda: not any(is_alive(process.identity) for process in each), 60)


def test_up_recovers_after_everything_but_the_workers_of_the_web_was_killed(stack: Stack) -> None:
    assert stack.run("up").returncode == 0
    assert stack.run("status", PORT=str(stack.config.port + 1)).returncode == 0
    known = record.read(stack.data / "run")
    assert known is not None
    for each in (known.supervisor, *known.processes):
        os.kill(each.identity.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(is_alive(each.identity) for each in known.processes), 20)
    told = stack.run("status")
    assert told.returncode != 3
    assert "web          left" in told.stdout
    assert "their supervisor was killed" in told.stdout
    again = stack.run("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "what web left behind was killed" in again.stdout
    assert web.is_ready(stack.config.url)


@pytest.mark.parametrize("verb", ["up", "status", "down"])
@pytest.mark.parametrize("way", ["a file", "in a file", "other things", "of somebody else"])
def test_data_folder_that_cannot_be_one_is_an_error_that_says_so(stack: Stack, tmp_path: Path, verb: str, way: str) -> None:
    (tmp_path / "file").write_text("mine")
    folder = {"a file": tmp_path / "file", "in a file": tmp_path / "file" / "data", "other things": tmp_path}.get(way)
    if folder is None:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        (folder := tmp_path / "theirs").mkdir()
        os.chown(folder, 65_534, 65_534)
    mode = tmp_path.stat().st_mode
    said = stack.run(verb, DATA_DIR=str(folder))
    assert said.returncode == (1 if verb == "up" else 3 if verb == "status" else 0)
    assert str(folder) in said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    assert tmp_path.stat().st_mode == mode


def test_setting_that_cannot_be_read_is_told_in_a_sentence(stack: Stack) -> None:
    said = stack.run("up", SWITCHYARD_KEEP_DAYS="soon")
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.splitlines()[-1] == "launch: SWITCHYARD_KEEP_DAYS=soon is not a whole number, 0 or more."


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_user_without_a_name_is_told_what_the_database_wants() -> None:
    child = os.fork()
    if child == 0:
        os.setuid(54_321)
        try:
            account.require_name()
        except LaunchError as error:
            os._exit(0 if "54321" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_port_in_use_is_an_error_that_says_what_to_do(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.config.port)):
        said = stack.run("up")
    assert said.returncode == 1
    assert f"make up PORT={stack.config.port + 1}" in said.stderr
    assert stack.run("status").returncode == 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1/jobs"}, "Connection refused"),
        ({"DATABASE_URL": "mysql://someone:secret@127.0.0.1/jobs"}, "it does not begin with postgresql://"),
        ({"DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1"}, "it names no database"),
        ({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "Connection refused"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "it does not begin with redis://"),
    ],
)
def test_given_server_that_cannot_be_used_is_an_error_that_says_what_to_do(
    stack: Stack, changed: dict[str, str], reason: str
) -> None:
    said = stack.run("up", subprocess.PIPE, **changed)
    assert said.returncode == 1
    [line] = said.stderr.splitlines()
    assert line.startswith(f"launch: {next(iter(changed))} cannot be used: ")
    assert reason in line
    assert "secret" not in line
    assert not (stack.data / "logs").exists()


def test_given_redis_that_makes_no_users_is_used_and_said_to_make_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_broker(tmp_path) as broker:
        given.require(read({"REDIS_URL": broker.url}))
        assert capsys.readouterr().out == ""
        assert broker.client.acl_users() == ["default"]
        given.require(read({"REDIS_URL": without_acl(broker.client, broker.url)}))
    said = capsys.readouterr().out
    assert "Redis makes no users for agents" in said
    assert "secret" not in said
