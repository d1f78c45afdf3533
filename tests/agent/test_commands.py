"""Commands: how they are run, what they are told, what they tell, and what they leave behind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import alive, running
from tests.agent.test_telling import whole


def shell(server: Server, line: str, stage: int = 1, **what: Any) -> None:
    server.launch(stage, command=line, shell=True, **what)


def test_a_command_that_succeeds_finishes_without_a_result(agent: Agent, server: Server) -> None:
    server.launch(1, 50, command=["true"])
    server.until(lambda: server.have_ended(50))
    assert set(server.ends().values()) == {"null"}


def test_a_command_that_fails_tells_its_exit_code(agent: Agent, server: Server) -> None:
    expected = {
        "exit 75": ("user_error", 75),
        "kill -SEGV $$": ("killed", -11),
        "kill -35 $$": ("killed", -35),
        "no-such-program": ("user_error", 127),
    }
    for stage, command in enumerate(expected, 1):
        shell(server, command, stage=stage)
    server.until(lambda: server.have_ended(len(expected)))
    ends = [server.end(stage) for stage in range(1, len(expected) + 1)]
    assert {end["outcome"] for end in ends} == {"FAILED"}
    assert [(end["class"], end["exit_code"]) for end in ends] == list(expected.values())


def test_the_error_of_a_failed_command_ends_with_its_last_line(agent: Agent, server: Server) -> None:
    expected = {
        "echo out; echo first >&2; printf '\\033last\\0 line \\n\\n' >&2; exit 9": "/bin/sh exited with 9: last line",
        "echo out; exit 9": "/bin/sh exited with 9",
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2; kill -35 $$": "by signal 35: end",
    }
    for stage, (command, said) in enumerate(expected.items()):
        shell(server, "echo 'of another task' >&2", stage=2 * stage + 1)
        server.result(2 * stage + 1)
        shell(server, command, stage=2 * stage + 2)
        assert server.end(2 * stage + 2)["error"].endswith(said)


def test_what_prevents_a_command_in_the_worker_is_told_with_its_cause(agent: Agent, server: Server) -> None:
    server.launch(1, command=["true", "a\0b"])
    assert "ValueError: embedded null byte" in server.end(1)["error"]
    server.launch(2, command=["true"])
    assert server.result(2) is None


def test_a_program_that_is_not_there_is_named(agent: Agent, server: Server) -> None:
    server.launch(1, command=["no-such-program"])
    assert "no-such-program" in server.end(1)["error"]


def test_a_command_learns_of_itself_from_its_environment(agent: Agent, server: Server) -> None:
    need = {"stage": 5, "name": "a", "parallelism": 2, "exchange": "all", "given": [[0, "1"], [1, '"x"']]}
    shell(
        server,
        'echo "{\\"result\\": {\\"env\\": \\"$(env | sort | tr \'\\n\' \' \')\\", \\"in\\": $(cat $SWITCHYARD_INPUTS)}}"'
        " > $SWITCHYARD_REPORT",
        first=2,
        attempt=1,
        parallelism=4,
        inputs=[need],
        env={"GREETING": "hello"},
    )
    result = server.result(1, 2, attempt=1)
    env = dict(pair.partition("=")[::2] for pair in result["env"].split())
    assert result["in"] == {"a": [1, "x"]}
    assert env["GREETING"] == "hello"
    assert {name: env[f"SWITCHYARD_{name}"] for name in ("JOB", "STAGE", "TASK_INDEX", "PARALLELISM", "ATTEMPT")} == {
        "JOB": "job", "STAGE": "s1", "TASK_INDEX": "2", "PARALLELISM": "4", "ATTEMPT": "1",
    }  # fmt: skip
    assert not {"REDIS_URL", "SWITCHYARD_NODE_TOKEN", "SECRET_OF_THE_AGENT"} & env.keys()


def test_an_item_of_foreach_is_in_the_environment(agent: Agent, server: Server) -> None:
    line = 'echo "{\\"result\\": $SWITCHYARD_ITEM}" > $SWITCHYARD_REPORT'
    shell(server, line, count=2, foreach=[1, {"a": 2}], items={"0": 1, "1": {"a": 2}})
    assert [server.result(1, 0), server.result(1, 1)] == [1, {"a": 2}]


def test_the_report_channel_takes_metrics_sums_and_a_result(agent: Agent, server: Server) -> None:
    lines = [
        '{"progress": 0.5, "metric": {"rows": 3}}',
        '{"accumulate": {"n": 2}}',
        '{"accumulate": {"n": 3}}',
        '{"result": [1]}',
    ]
    told = " ".join(f"'{line}'" for line in lines)
    shell(server, f"printf '%s\\n' {told} > $SWITCHYARD_REPORT")
    end = server.end(1)
    assert end["metrics"] | {"progress": 0.5, "rows": 3} == end["metrics"]
    assert end["accumulators"] == {"n": 5}
    assert json.loads(end["result"]) == [1]


def test_what_a_command_and_its_children_read_and_wrote_is_told(agent: Agent, server: Server) -> None:
    shell(server, "head -c 100000 /dev/zero > made; cat made made > /dev/null; sleep 0.01; exit 3")
    metrics = server.end(1)["metrics"]
    assert 300_000 <= metrics["read_bytes"] <= 400_000
    assert 300_000 <= metrics["write_bytes"] <= 310_000


def test_what_a_command_says_that_it_read_is_believed(agent: Agent, server: Server) -> None:
    shell(server, """echo '{"metric": {"read_bytes": 7}}' > $SWITCHYARD_REPORT""")
    metrics = server.metrics(1)
    assert metrics["read_bytes"] == 7
    assert metrics["write_bytes"] > 0


def test_garbage_on_the_report_channel_fails_the_task(agent: Agent, server: Server) -> None:
    lines = ("not json", '{"progress": 7}', '{"metric": 3}', '{"word": 1}', '{"metric": {"a": NaN}}')
    for stage, line in enumerate(lines, 1):
        shell(server, f"echo '{line}' > $SWITCHYARD_REPORT", stage=stage)
    server.until(lambda: server.have_ended(len(lines)))
    for stage, line in enumerate(lines, 1):
        end = server.end(stage)
        assert end["class"] == "user_error", line
        assert "garbage on the report channel" in end["error"], line


def test_each_attempt_has_a_folder_of_its_own_with_the_files(agent: Agent, server: Server) -> None:
    server.files[1] = {"data.txt": "text", "lib/a.txt": "a"}
    shell(
        server,
        'test ! -e mine && touch mine && test "$(cat data.txt lib/a.txt)" = texta',
        count=4,
        files_digest="d",
    )
    server.until(lambda: server.have_ended(4))
    assert set(server.ends().values()) == {"null"}
    assert not list(agent.data.glob("workers/*/command-*/*"))


@pytest.mark.parametrize(
    "spoil", ["mkdir -p a/b; touch a/b/c", "chmod 0 .", 'rmdir "$PWD"', 'rmdir "$PWD"; touch "$PWD"', "ln -s / x", "true"]
)
def test_a_command_finds_its_folder_as_new_whatever_the_last_one_made_of_it(
    start_agent: Callable[..., Agent], server: Server, spoil: str
) -> None:
    start_agent("--slots", "1")
    shell(server, f"touch x; rm x; {spoil}")
    shell(server, 'test "$(stat -c %a .)" = 755 && test -z "$(ls -A)" && touch x', stage=2, count=2)
    server.until(lambda: server.have_ended(3))
    assert set(server.ends().values()) == {"null"}


def test_what_a_command_leaves_behind_ends_with_it(agent: Agent, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    shell(server, f"sleep 1000 & echo $! >> {file}; setsid sh -c 'echo $$ >> {file}; exec sleep 1000' & "
                  f"while [ $(cat {file} | wc -l) -lt 2 ]; do sleep 0.01; done")  # fmt: skip
    server.until(server.ends)
    assert [alive(int(pid)) for pid in file.read_text().split()] == [False, False]


def test_a_canceled_command_gets_term_first(agent: Agent, server: Server, tmp_path: Path) -> None:
    shell(
        server,
        f"trap 'touch {tmp_path}/asked; exit 0' TERM; touch {tmp_path}/runs; while :; do sleep 0.01; done",
        grace=20,
    )
    wait_until((tmp_path / "runs").exists)
    server.command(cancels=[[1, 0, [[0, 1]]]])
    assert server.end(1)["outcome"] == "CANCELED"
    assert (tmp_path / "asked").exists()


def test_a_command_that_ignores_term_is_killed_whole(agent: Agent, server: Server, tmp_path: Path) -> None:
    shell(
        server,
        f"trap '' TERM; setsid sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000; sleep 1000",
        grace=0.3,
        timeout=0.3,
    )
    assert server.end(1)["class"] == "timeout"
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not alive(pid))


def test_the_worker_goes_on_after_a_killed_command(agent: Agent, server: Server) -> None:
    shell(server, "sleep 1000", timeout=0.2, grace=0)
    server.end(1)
    shell(server, "true", stage=2, count=20)
    server.until(lambda: len(server.ends()) + len(server.returned()) == 21)
    assert server.ends()[2, 0, 0] == "null"


def test_hundreds_of_commands_end_each_for_itself(agent: Agent, server: Server) -> None:
    server.launch(1, 300, command=["/bin/sh", "-c", "exit $((SWITCHYARD_TASK_INDEX % 2))"])
    server.until(lambda: len(server.ends()) + len(server.returned()) == 300)
    assert server.ends() == {(1, 0, i): "user_error" if i % 2 else "null" for _, _, i in server.ends()}


def test_a_command_that_removes_all_that_its_worker_has_harms_nothing_else(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    agent = start_agent("--slots", "2")
    server.launch(1, python="agent_tasks:wait", args=[str(tmp_path)])
    running(tmp_path)
    shell(server, f"touch {tmp_path}/going; rm -rf ../* ; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done", stage=2)
    shell(server, "echo more; echo '{\"result\": 7}' > $SWITCHYARD_REPORT", stage=3, count=3)
    wait_until((tmp_path / "going").exists)
    server.until(lambda: (2, 0, 0) in server.started())
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 5)
    assert server.ends()[1, 0, 0] == '"done"'
    for index in set(range(3)) - {index for stage, _, index in server.returned() if stage == 3}:
        assert server.result(3, index) == 7
        assert whole(server, server.end(3, index), "stdout") == "more\n"
    assert agent.process.poll() is None


def test_what_began_in_a_worker_whose_page_is_removed_is_lost_with_its_agent(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent("--slots", "1")
    shell(server, f"rm -rf ../*; touch {tmp_path}/gone; sleep 1000")
    wait_until((tmp_path / "gone").exists)
    server.until(server.started)
    first.kill()
    server.resume = True
    start_agent("--slots", "1")
    assert server.end(1)["class"] == "lost"
    assert not server.returned()


@pytest.mark.parametrize(
    ("first_line", "said"),
    [("#!/no/such/python", "its interpreter /no/such/python is missing"), ("\x7fELF", "cannot run ./run")],
)
def test_a_program_that_lacks_what_runs_it_says_so(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path, first_line: str, said: str
) -> None:
    start_agent()
    program = tmp_path / "run"
    program.write_text(f"{first_line}\n")
    program.chmod(0o755)
    server.launch(1, command=[str(program)])
    end = server.end(1)
    assert (end["class"], end["exit_code"]) == ("user_error", 127 if "no/such" in said else 126)
    assert said.replace("./run", str(program)) in end["error"]
