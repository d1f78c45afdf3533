"""The command line against a real stack: what it writes where, and what its exit status tells."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from launch.processes import wait_until
from switchyard.cli import app
from tests.switchyard.stacks import Running

pytestmark = pytest.mark.timeout(240)

GOOD = "name: Good\nstages:\n- {name: first, python: 'os.path:basename', args: [a/b], parallelism: 2}\n"
BAD = "name: Bad\nstages:\n- {name: first, command: [sh, -c, 'echo seen; echo lost >&2; exit 9']}\n"
SOME_BAD = (
    "name: Some\nstages:\n- {name: first, command: ['true'], parallelism: 2}\n"
    "- {name: second, command: 'test -n \"$GOOD\"', shell: true, needs: [first]}\n"
)
LONG = "name: Long\nstages:\n- {name: first, command: [sleep, '1000'], grace: 0.5}\n"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Give the path of a job description to write."""
    return tmp_path / "job.yaml"


def test_finished_job_shows_its_result_and_ends_with_0(stack: Running, job: Path) -> None:
    job.write_text(GOOD)
    said = stack.command("submit", job, "--wait")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == {"first": ["b", "b"]}
    assert "first: finished (2/2)" in said.stderr
    assert " is FINISHED after " in said.stderr


def test_failed_job_says_what_failed_and_ends_with_1(stack: Running, job: Path) -> None:
    job.write_text(BAD)
    said = stack.command("submit", job, "--wait")
    assert said.returncode == 1
    assert "first[0] attempt 0 on agent-1: user_error, sh exited with 9" in said.stderr
    assert "Read more: switchyard logs" in said.stderr


def test_canceled_job_ends_with_3(stack: Running, job: Path) -> None:
    job.write_text(LONG)
    number = stack.switchyard("submit", job).strip()
    assert f"Job {number} is CANCEL" in stack.switchyard("cancel", number)
    stack.switchyard("wait", number, status=3)


def test_a_job_is_suspended_and_resumed(stack: Running, job: Path) -> None:
    job.write_text(LONG)
    number = stack.switchyard("submit", job).strip()
    assert stack.switchyard("suspend", number, "--reason", "for the night") == f"Job {number} is SUSPENDING\n"
    assert ": for the night" in stack.switchyard("show", number)
    assert read(stack, "show", number)["suspended"]["reason"] == "for the night"
    assert stack.switchyard("resume", "--job", number) in (f"Job {number} is CREATED\n", f"Job {number} is RUNNING\n")
    assert read(stack, "show", number)["suspended"] is None
    stack.switchyard("cancel", number)


def test_a_job_is_finished_early(stack: Running, job: Path) -> None:
    job.write_text(LONG)
    number = stack.switchyard("submit", job).strip()
    assert stack.switchyard("finish", number).startswith(f"Job {number} is ")
    assert read(stack, "finish", number)["draining"] is True
    assert "nothing more begins at its sources" in stack.switchyard("show", number)
    stack.switchyard("cancel", number)


def test_wrong_description_is_told_field_by_field_and_ends_with_2(stack: Running) -> None:
    said = stack.command("submit", "-", stdin="name: x\nstages: [{name: a, comand: [x]}, {name: b, parallelism: 0}]")
    assert said.returncode == 2
    assert said.stderr.splitlines()[:2] == [
        "switchyard: the job description is not valid:",
        "  stages[0].comand: is not a known field; did you mean 'command'?",
    ]
    assert "stages[1].parallelism: must be 1 or more, not 0" in said.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["logs", "1", "--only", "both"], ["submit", "no-such-file"]])
def test_wrong_use_ends_with_2(stack: Running, arguments: list[str]) -> None:
    stack.switchyard(*arguments, status=2)


def test_unreachable_server_is_named_and_ends_with_4(stack: Running) -> None:
    said = stack.command("--server", "http://127.0.0.1:1", "jobs")
    assert (said.returncode, said.stdout) == (4, "")
    assert "http://127.0.0.1:1 does not answer" in said.stderr
    assert "Traceback" not in said.stderr


def test_refusal_ends_with_5(stack: Running) -> None:
    assert "There is no job 999999." in stack.command("show", "999999").stderr
    stack.switchyard("show", "999999", status=5)


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "code", "attr"),
    [
        (["show", "999999", "--json"], 5, "client_error", "not_found", None),
        (["jobs", "--state", "LOST", "--json"], 2, "validation_error", "invalid_choice", "state"),
        (["show", "--json"], 2, "client_error", "usage", None),
        (["--server", "http://127.0.0.1:1", "nodes", "--json"], 4, "client_error", "unreachable", None),
        (["--server", "nowhere", "nodes", "--json"], 2, "client_error", "misconfigured", None),
        (["submit", "-", "--json"], 2, "validation_error", "invalid", "stages[0].comand"),
    ],
)
def test_errors_are_json_if_asked_in_the_shape_of_the_api(
    stack: Running, arguments: list[str], status: int, kind: str, code: str, attr: str | None
) -> None:
    said = stack.command(*arguments, stdin="name: x\nstages: [{name: a, comand: [x]}]")
    assert (said.returncode, said.stdout) == (status, "")
    told = json.loads(said.stderr)
    assert (told["type"], told["errors"][0]["code"], told["errors"][0]["attr"]) == (kind, code, attr)
    assert told["errors"][0]["detail"]


def test_every_look_is_json_if_asked(stack: Running, job: Path) -> None:
    job.write_text(GOOD)
    made = read(stack, "submit", job, "--wait", "--key", "json")
    assert (made["state"], made["results"]) == ("FINISHED", {"first": ["b", "b"]})
    number = str(made["number"])
    assert read(stack, "submit", job, "--key", "json")["number"] == made["number"]
    assert made["number"] in [each["number"] for each in read(stack, "jobs", "--state", "finished")]
    assert read(stack, "show", number)["stages"][0]["tasks"]["FINISHED"] == 2
    assert read(stack, "wait", number)["state"] == "FINISHED"
    assert read(stack, "results", number, "first") == ["b", "b"]
    assert read(stack, "explain", number)["stages"] == []
    assert read(stack, "cancel", number)["state"] == "FINISHED"
    assert read(stack, "nodes")[0]["name"] == "agent-1"
    assert read(stack, "scheduler")["state"] == "RUNNING"


def test_people_see_tables_and_raw_texts(stack: Running, job: Path) -> None:
    job.write_text(GOOD.replace("Good", "In a table"))
    stack.switchyard("submit", job, "--wait")
    listed = stack.switchyard("jobs", "--search", "In a table")
    assert "FINISHED" in listed
    number = listed.splitlines()[1].split()[0]
    assert "first" in stack.switchyard("show", number)
    assert stack.switchyard("results", number, "first", "1", "--raw") == "b\n"
    assert "none of its tasks waits" in stack.switchyard("explain", number)
    assert "agent-1" in stack.switchyard("nodes")


def test_raw_results_are_written_one_by_one(stack: Running, job: Path) -> None:
    job.write_text(
        "name: Raw\nstages:\n- {name: split, python: 'os.path:split', args: [a/b]}\n"
        "- {name: object, python: 'builtins:dict', kwargs: {ok: true, list: [1, 2]}}\n"
        "- {name: texts, python: 'os.path:basename', args: [a/b], parallelism: 2}\n"
    )
    number = str(read(stack, "submit", job, "--wait")["number"])
    assert stack.switchyard("results", number, "texts", "--raw") == "b\nb\n"
    assert json.loads(stack.switchyard("results", number, "split", "0", "--raw")) == ["a", "b"]
    assert json.loads(stack.switchyard("results", number, "object", "0", "--raw")) == {"ok": True, "list": [1, 2]}
    assert stack.switchyard("results", number, "--raw").endswith("]\n}\nb\nb\n")


def test_result_is_whole_json_in_a_pipe_and_only_its_top_on_a_terminal(stack: Running, job: Path) -> None:
    job.write_text(
        "name: Wide\nstages:\n- {name: words, python: 'os.path:basename', args: [a/b], parallelism: 60}\n"
        "- {name: silent, command: ['true'], parallelism: 60}\n"
    )
    piped = stack.switchyard("submit", job, "--wait")
    assert json.loads(piped) == {"words": ["b"] * 60, "silent": [None] * 60}
    seen = on_a_terminal(stack, "submit", str(job), "--wait")
    assert "in full: switchyard results" in seen
    assert "silent" not in seen


def test_after_a_cancel_it_is_seen_how_many_had_finished(stack: Running, job: Path) -> None:
    line = "[ $SWITCHYARD_TASK_INDEX = 0 ] || exec sleep 1000"
    job.write_text(f"name: Some\nstages:\n- {{name: some, shell: true, command: '{line}', parallelism: 3, grace: 0.5}}\n")
    number = stack.switchyard("submit", job).strip()
    assert wait_until(lambda: read(stack, "show", number)["tasks"]["FINISHED"] == 1, 60)
    stack.switchyard("cancel", number)
    stack.switchyard("wait", number, status=3)
    header, row = (line.split() for line in stack.switchyard("show", number).splitlines()[-2:])
    assert dict(zip(header[:4], row[:4], strict=True)) == {
        "STAGE": "some", "STATE": "CANCELED", "FINISHED": "1", "ENDED": "3/3"
    }  # fmt: skip


def test_the_version_is_said() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.output) == (0, f"switchyard {metadata.version('switchyard')}\n")


def test_the_agent_goes_to_the_server_that_the_environment_names(stack: Running, tmp_path: Path) -> None:
    url, nowhere = "http://127.0.0.1:9", {"REDIS_URL": "redis://127.0.0.1:1/0", "SWITCHYARD_NODE_TOKEN": "x"}
    command = (Path(sys.executable).with_name("switchyard"), "agent", "--data", tmp_path)
    env = stack.environ | nowhere | {"SWITCHYARD_URL": url}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as agent:
        assert agent.stdout is not None
        first = agent.stdout.readline()
        agent.kill()
    assert f"server={url}" in first


def on_a_terminal(stack: Running, *arguments: str) -> str:
    """Return what a command writes to a terminal as its standard output."""
    ours, theirs = os.openpty()
    program = Path(sys.executable).with_name("switchyard")
    with os.fdopen(ours, "rb") as terminal:
        subprocess.run((program, *arguments), env=stack.environ, stdout=theirs, stderr=subprocess.DEVNULL, check=True)
        os.close(theirs)
        return b"".join(_lines(terminal)).decode()


def _lines(terminal: IO[bytes]) -> Iterator[bytes]:
    # Linux ends a terminal that nobody writes to any more with an error.
    with suppress(OSError):
        yield from terminal


def test_pause_resume_and_drain_say_what_became_of_it(stack: Running) -> None:
    assert "Node agent-1 is PAUS" in stack.switchyard("pause", "agent-1", "--reason", "tea")
    assert "paused: tea" in stack.switchyard("nodes")
    assert "Node agent-1 is READY" in stack.switchyard("resume", "agent-1")
    assert "Node agent-1 is DRAIN" in stack.switchyard("drain", "agent-1")
    stack.switchyard("resume", "agent-1")
    assert "The scheduler is PAUS" in stack.switchyard("pause")
    assert "The scheduler is RUNNING" in stack.switchyard("resume")


def test_removing_a_node_is_for_admins(stack: Running) -> None:
    assert "do not have permission" in stack.command("remove", "agent-1").stderr
    stack.switchyard("remove", "agent-1", status=5)


def test_failed_job_is_tried_again_as_a_new_one(stack: Running, job: Path) -> None:
    job.write_text(BAD)
    first = read(stack, "submit", job, "--wait", status=1)
    again = read(stack, "retry", str(first["number"]), "--wait", status=1)
    assert (again["retried_from"], again["state"]) == (first["id"], "FAILED")
    once, twice = (read(stack, "retry", str(first["number"]), "--key", "the retry") for _ in range(2))
    assert once["id"] == twice["id"] != again["id"]


def test_a_retry_says_what_is_reused_and_takes_edits(stack: Running, job: Path) -> None:
    job.write_text(SOME_BAD)
    number = str(read(stack, "submit", job, "--wait", status=1)["number"])
    edit = ("--set", 'stages.second.env={"GOOD": "1"}', "--set", "stages.first.timeout=60")
    shown = stack.switchyard("retry", number, *edit, "--dry-run")
    assert shown.splitlines() == [
        f"A retry of job {number} reuses 2 of 3 tasks:",
        "  first: 2 tasks reused",
        "  second: 1 task to run",
    ]
    first = {"name": "first", "parallelism": 2, "reused": 2, "rerun": []}
    assert read(stack, "retry", number, "--dry-run")["stages"][0] == first
    said = stack.command("retry", number, *edit, "--wait")
    assert (said.returncode, "reuses 2 of 3 tasks:\n  first: 2 tasks reused" in said.stderr) == (0, True)
    refused = stack.command("retry", number, "--set", "stages.frist.timeout=60")
    assert refused.returncode == 2
    assert "stages.frist.timeout: there is no such stage; did you mean 'first'? There is first, second" in refused.stderr
    wrong = stack.command("retry", number, "--set", "stages.first.timeout")
    assert (wrong.returncode, "is not PATH=VALUE" in wrong.stderr) == (2, True)
    again = stack.command("retry", number, "--file", str(job))
    assert "  second: 1 task to run" in again.stderr


def test_log_of_the_task_that_failed_comes_by_itself(stack: Running, job: Path) -> None:
    job.write_text(BAD)
    number = str(read(stack, "submit", job, "--wait", status=1)["number"])
    said = stack.command("logs", number, "--follow")
    assert (said.returncode, said.stdout, said.stderr) == (0, "seen\n", "lost\n")
    assert stack.switchyard("logs", number, "first", "0", "--only", "stdout", "--attempt", "0") == "seen\n"
    lines = stack.switchyard("logs", number, "--json").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"stream": "stdout", "text": "seen\n"},
        {"stream": "stderr", "text": "lost\n"},
    ]


def test_log_is_followed_while_the_task_writes(stack: Running, job: Path, tmp_path: Path) -> None:
    script = f"echo one; until [ -e {tmp_path}/go ]; do sleep 0.1; done; echo two"
    job.write_text(f"name: Slow\nstages:\n- {{name: say, command: [sh, -c, '{script}']}}\n")
    number = stack.switchyard("submit", job).strip()
    program = Path(sys.executable).with_name("switchyard")
    argv = (program, "logs", number, "-f")
    with subprocess.Popen(argv, env=stack.environ, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one\n"
        (tmp_path / "go").touch()
        assert following.stdout.read() == "two\n"
        assert following.wait(30) == 0


COMMANDS = [
    *("submit", "wait", "jobs", "show", "results", "logs", "explain"),
    *("cancel", "suspend", "finish", "retry", "nodes", "scheduler", "pause", "resume", "drain"),
]


def test_every_command_is_listed_and_an_agent_explains_itself(stack: Running) -> None:
    listed = stack.switchyard("--help")
    assert [name for name in COMMANDS if f" {name} " not in listed] == []
    assert "Exit status: 0 done, 1 the job failed" in " ".join(listed.split())
    assert "--server" in stack.switchyard("agent", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert said.exit_code == 0
    described = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert described.help.splitlines()[0] in said.output
    for parameter in described.params:
        assert parameter.help, parameter.name
        assert parameter.opts[0] in said.output or parameter.param_type_name == "argument"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("submit", "{folder}"), "cannot be read"),
        (("submit", "{folder}/text"), "the job description is not valid"),
        (("submit", "{folder}/files"), "nowhere.txt"),
        (("jobs", "--state", "lost"), "state"),
    ],
)
def test_wrong_input_is_named_and_ends_with_2(stack: Running, tmp_path: Path, command: tuple[str, ...], told: str) -> None:
    (tmp_path / "text").write_bytes(b"\xff\xfe no text")
    (tmp_path / "files").write_text("name: x\nstages:\n- {name: a, command: [ls], files: [nowhere.txt]}\n")
    said = stack.command(*(each.format(folder=tmp_path) for each in command))
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr
    assert "Traceback" not in said.stderr


def test_token_that_is_not_valid_says_so(stack: Running) -> None:
    said = stack.command("jobs", SWITCHYARD_TOKEN="wrong")
    assert said.returncode == 5
    assert f"The token is not valid for {stack.url}" in said.stderr


def read(stack: Running, *arguments: str | Path, status: int = 0) -> Any:
    """Run a command with --json and return what it wrote."""
    return json.loads(stack.switchyard(*arguments, "--json", status=status))


FILES = (
    "name: Files\nstages:\n- name: make\n  shell: true\n  parallelism: 2\n  outputs: {all: 'out/*'}\n"
    "  command: 'cd out; echo $SWITCHYARD_TASK_INDEX > a.txt; echo x > b.sh; chmod +x b.sh'\n"
)


def test_files_are_listed_and_downloaded_and_a_broken_download_goes_on(stack: Running, job: Path, tmp_path: Path) -> None:
    job.write_text(FILES)
    number = stack.command("submit", job, "--wait", "--json")
    made = str(json.loads(number.stdout)["number"])
    listed = stack.switchyard("files", made)
    assert [line.split()[:5] for line in listed.splitlines()[1:]] == [
        ["make", index, "all", name, "2"] for index in "01" for name in ("a.txt", "b.sh")
    ]
    found = json.loads(stack.switchyard("files", made, "--task", "1", "--json"))
    folder = tmp_path / "got"
    place = folder / "make" / "all" / "1"
    place.mkdir(parents=True)
    (place / f"a.txt.{found[0]['digest'][:12]}.part").write_text("1")
    said = stack.command("files", made, "--output", folder)
    assert said.stderr == f"4 files, 8 bytes, in {folder}\n"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        f"make/all/{index}/{name}" for index in "01" for name in ("a.txt", "b.sh")
    ]
    assert [(place / name).read_text() for name in ("a.txt", "b.sh")] == ["1\n", "x\n"]
    assert os.access(place / "b.sh", os.X_OK)
    (place / f"a.txt.{found[0]['digest'][:12]}.part").write_text("?")
    (place / "a.txt").unlink()
    wrong = stack.command("files", made, "--output", folder)
    assert wrong.returncode == 4
    assert "its SHA-256 is another" in wrong.stderr
    assert not (place / "a.txt").exists()
    assert stack.command("files", made, "--output", folder).returncode == 0
    assert (place / "a.txt").read_text() == "1\n"
    assert "SWITCHYARD" not in (refused := stack.command("files", made, "--stage", "no")).stderr
    assert refused.returncode == 5
