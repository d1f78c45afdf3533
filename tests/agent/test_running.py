"""Running: Python tasks from launch to report, and what they may not return."""

import hashlib
import itertools
import json
from collections.abc import Callable

import pytest

from switchyard.agent.core.reports import HOLD
from tests.agent.process import Agent
from tests.agent.server import Server


def test_tasks_of_a_stage_run_and_report_their_results(agent: Agent, server: Server) -> None:
    server.launch(1, 500, python="agent_tasks:square")
    server.until(lambda: server.have_ended(500))
    assert server.ends() == {(1, 0, index): str(index**2) for index in range(500)}


def test_a_launch_that_arrives_twice_runs_once(agent: Agent, server: Server) -> None:
    server.launch(1, 3, python="agent_tasks:square")
    server.entry -= 1
    server.launch(1, 3, python="agent_tasks:square")
    server.launch(2, 1, python="agent_tasks:square")
    server.until(lambda: server.have_ended(4))


def test_commands_of_another_session_or_an_old_number_are_ignored(agent: Agent, server: Server) -> None:
    server.launch(1, 1, python="agent_tasks:square")
    server.result(1)
    server.number -= 3
    server.launch(2, 1, python="agent_tasks:square")
    server.number += 5
    server.launch(3, 1, python="agent_tasks:square")
    server.result(3)
    assert (2, 0, 0) not in server.ends()


def test_arguments_reach_the_callable(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:add", args=[2], kwargs={"right": 40})
    assert server.result(1) == 42


def test_an_item_of_foreach_comes_first(agent: Agent, server: Server) -> None:
    server.launch(1, 2, python="agent_tasks:shout", foreach=["a", "b"], items={"0": "a", "1": "b"})
    assert server.result(1, 1) == ["b", 1]


def test_items_that_the_command_leaves_out_are_fetched(agent: Agent, server: Server) -> None:
    server.items[1] = ["a", "b", "c"]
    server.launch(1, 3, python="agent_tasks:shout", foreach={"from": "x"})
    assert [server.result(1, index) for index in range(3)] == [["a", 0], ["b", 1], ["c", 2]]


def test_dependents_are_handed_results_on_the_spot(agent: Agent, server: Server) -> None:
    server.launch(1, 10, python="agent_tasks:square")
    need = {"stage": 1, "name": "squares", "parallelism": 10, "exchange": "all", "given": []}
    server.launch(2, 1, python="agent_tasks:total", inputs=[need], after=[[1, 0, 10]])
    server.until(lambda: server.have_ended(11))
    assert server.result(2) == sum(index**2 for index in range(10))


def test_results_from_before_are_fetched_and_those_to_come_are_handed_over(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"1": ["0", "1", None]}
    server.launch(1, first=2, python="agent_tasks:square")
    need = {"stage": 1, "name": "squares", "parallelism": 3, "exchange": "all", "given": []}
    server.launch(2, 1, python="agent_tasks:total", inputs=[need], after=[[1, 0, 3]])
    server.until(lambda: server.have_ended(2))
    assert server.result(2) == 0 + 1 + 4


def test_what_had_not_ended_when_it_was_fetched_is_fetched_again(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"1": ["0", "1", None]}
    need = {"stage": 1, "name": "squares", "parallelism": 3, "exchange": "all", "given": []}
    server.launch(1, first=2, python="agent_tasks:large", args=[100_000])
    server.launch(2, 1, python="agent_tasks:inputs", inputs=[need], after=[[1, 0, 3]])
    # What waits here for a task goes back with its end, if not before: placed again before that, it would go back once more.
    server.until(lambda: (2, 0, 0) in server.returned() and (1, 0, 2) in server.ends())
    server.inputs[2] = {"1": ["0", "1", "4"]}
    server.launch(2, 1, python="agent_tasks:inputs", inputs=[need])
    assert server.result(2) == {"squares": [0, 1, 4]}


def test_what_never_will_be_there_is_left_out(agent: Agent, server: Server) -> None:
    need = {"stage": 1, "name": "one", "parallelism": 4, "given": [[0, "1"]]}
    point = {
        "stage": 3,
        "name": "three",
        "parallelism": 4,
        "exchange": "pointwise",
        "given": [[1, "5"]],
        "left_out": [[0, 1]],
    }
    server.launch(2, 1, python="agent_tasks:inputs", parallelism=2, inputs=[{**need, "left_out": [[1, 4]]}, point])
    assert server.result(2) == {"one": [1], "three": [5]}


def test_what_is_not_to_come_any_more_is_waited_for_no_longer(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"1": ["1", None]}
    need = {"stage": 1, "name": "one", "parallelism": 2, "given": [[0, "1"]]}
    server.launch(2, 1, python="agent_tasks:inputs", inputs=[need], parallelism=2, after=[[1, 0, 2]])
    server.until(lambda: (2, 0, 0) in server.returned())
    server.launch(2, 1, python="agent_tasks:inputs", inputs=[{**need, "left_out": [[1, 2]]}], parallelism=2)
    assert server.result(2) == {"one": [1]}


def test_large_inputs_are_fetched_into_files_until_they_are_whole(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"1": ["1", None]}
    server.stored, server.garbled = {1: 12_345}, 2
    need = {"stage": 1, "name": "numbers", "parallelism": 2, "exchange": "all", "given": []}
    server.launch(2, 1, python="agent_tasks:total", inputs=[need])
    assert server.result(2) == 12_346
    assert [path.read_text() for path in (agent.data / "inputs" / "2").iterdir()] == ["12345"]


def test_inputs_are_fetched_and_a_failed_one_shows(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"1": ["1", "failed", "3"]}
    need = {"stage": 1, "name": "a", "parallelism": 3, "exchange": "all", "given": []}
    server.launch(2, 1, python="agent_tasks:inputs", inputs=[need])
    assert server.result(2) == {"a": [1, "FAILED", 3]}


def test_a_pointwise_task_gets_its_own_part(agent: Agent, server: Server) -> None:
    known = [[index, str(index)] for index in range(6)]
    need = {"stage": 1, "name": "a", "parallelism": 6, "exchange": "pointwise", "given": known}
    server.launch(2, 3, python="agent_tasks:inputs", inputs=[need])
    assert [server.result(2, index)["a"] for index in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_dependents_of_a_failed_task_are_returned_all_the_way(agent: Agent, server: Server) -> None:
    need = {"name": "a", "parallelism": 1, "exchange": "all", "given": []}
    server.launch(1, 1, python="agent_tasks:wait", args=["/nonexistent"])
    server.launch(2, 3, python="agent_tasks:total", inputs=[{"stage": 1, **need}], after=[[1, 0, 1]])
    server.launch(3, 1, python="agent_tasks:total", inputs=[{"stage": 2, **need}], after=[[2, 0, 3]])
    assert server.end(1)["class"] == "user_error"
    server.until(lambda: server.returned() == {(2, 0, 0), (2, 0, 1), (2, 0, 2), (3, 0, 0)})


def test_an_exception_is_told_with_its_classes_and_place(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:fail")
    end = server.end(1)
    assert (end["outcome"], end["class"]) == ("FAILED", "user_error")
    assert end["exceptions"] == ["builtins.KeyError", "builtins.LookupError", "builtins.Exception", "builtins.BaseException"]
    assert "agent_tasks.py" in end["error"]
    assert "calling.py" not in end["error"]


def test_a_result_that_cannot_be_kept_fails_the_task_clearly(agent: Agent, server: Server) -> None:
    expected = {"nan": "not JSON compliant", "not_json": "not JSON serializable", "surrogate": "surrogate", "nul": "NUL"}
    for stage, function in enumerate(expected, 1):
        server.launch(stage, python=f"agent_tasks:{function}")
    server.until(lambda: server.have_ended(len(expected)))
    for stage, (function, reason) in enumerate(expected.items(), 1):
        end = server.end(stage)
        assert end["class"] == "user_error", function
        assert reason in end["error"]


def test_a_large_result_is_stored_before_its_end_is_told(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:large", args=[100_000])
    end = server.end(1)
    text = json.dumps("x" * 100_000).encode()
    assert (end["outcome"], end["result"]) == ("FINISHED", None)
    assert server.artifacts[end["result_digest"]] == text
    assert end["result_digest"] == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("python", ["no_such_module:f", "agent_tasks:no_such_function", "agent_tasks:__name__"])
def test_a_callable_that_cannot_be_loaded_is_told_once(agent: Agent, server: Server, python: str) -> None:
    server.launch(1, 400, python=python)
    server.until(lambda: len(server.ends()) + len(server.returned()) == 400)
    assert set(server.ends().values()) == {"unloadable"}
    assert len(server.ends()) <= 128


@pytest.mark.parametrize(
    ("module", "shown"),
    [
        (None, "broken:f cannot be loaded: ModuleNotFoundError: No module named 'broken'\n"),
        ("def f(:\n", 'cwd/broken.py", line 1\n    def f(:\n'),
        ("import nowhere\n", 'broken.py", line 1, in <module>\n    import nowhere\n'),
    ],
)
def test_an_import_that_fails_is_told_without_the_frames_of_importing(
    agent: Agent, server: Server, module: str | None, shown: str
) -> None:
    server.files[1] = {"broken.py": module} if module else {"other.py": ""}
    server.launch(1, python="broken:f", files_digest="d1")
    error = server.end(1)["error"]
    assert shown in error
    assert "importlib" not in error


def test_the_environment_is_built_from_nothing(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:environment", env={"GREETING": "hello"})
    assert set(server.result(1)) == {"PATH", "LANG", "HOME", "GREETING"}


def test_files_are_unpacked_where_the_task_runs(agent: Agent, server: Server) -> None:
    server.files[1] = {"helper.py": "word = 'hello'", "data.txt": "world"}
    server.launch(1, python="agent_tasks:sibling", files_digest="d1")
    assert server.result(1) == "hello world"


def test_tasks_with_the_same_long_result_each_end(agent: Agent, server: Server) -> None:
    server.launch(1, 20, python="agent_tasks:large", args=[10_000])
    server.until(lambda: server.have_ended(20))
    assert {end["outcome"] for end in server.others()} == {"FINISHED"}
    assert len(server.artifacts) == 1
    assert not list(agent.data.glob("results/*"))


def test_an_interpreter_that_is_not_there_is_told_once(agent: Agent, server: Server) -> None:
    server.launch(1, 10, python="agent_tasks:square", interpreter="/no/such/python")
    assert "the interpreter /no/such/python is missing" in server.end(1)["error"]
    server.until(lambda: len(server.ends()) + len(server.returned()) == 10)


def test_news_waits_for_more_while_there_is_more_to_run(start_agent: Callable[..., Agent], server: Server) -> None:
    start_agent("--slots", "1")
    server.launch(1, 100, command="true", shell=True)
    server.until(lambda: server.have_ended(100))
    sent = [report.sent for report in server.reports if report.finished or report.others]
    # The last ones are sent at once: nothing more was to be run.
    assert all(after - before >= HOLD * 1e6 for before, after in itertools.pairwise(sent[:-2]))
