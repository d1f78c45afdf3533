"""Returning: what tasks may return, raise and be, and how that is told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from switchyard.agent.worker import results
from tests.agent import careless_tasks
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server


def launch(server: Server, function: str, *args: Any, **more: Any) -> None:
    server.launch(1, python=f"careless_tasks:{function}", args=list(args), **more)


def exits(server: Server, codes: Sequence[Any]) -> list[int]:
    """Run a task that leaves with each code to its end, and return their stages."""
    stages = [*range(1, len(codes) + 1)]
    for stage, code in zip(stages, codes, strict=True):
        server.launch(stage, python="careless_tasks:exits", args=[code])
    server.until(lambda: server.have_ended(len(codes)))
    return stages


def test_leaving_by_sys_exit_without_a_code_is_success(agent: Agent, server: Server) -> None:
    assert [server.result(stage) for stage in exits(server, [0, None, False])] == [None] * 3


def test_leaving_by_sys_exit_with_a_code_is_a_failure(agent: Agent, server: Server) -> None:
    expected = {3: 3, -1: 255, 256: 1, "no input": 1, "": 1}
    for stage, (code, told) in zip(exits(server, [*expected]), expected.items(), strict=True):
        end = server.end(stage)
        assert (end["class"], end["exit_code"]) == ("user_error", told)
        assert f"SystemExit: {code}".removesuffix(": ") in end["error"]


def test_a_coroutine_is_run_to_its_end(agent: Agent, server: Server) -> None:
    server.launch(1, 3, python="careless_tasks:gathers")
    assert [server.result(1, index) for index in range(3)] == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_a_coroutine_that_fails_is_told_like_a_function(agent: Agent, server: Server) -> None:
    launch(server, "fails_later")
    end = server.end(1)
    assert end["exceptions"][0] == "builtins.LookupError"
    assert "careless_tasks.py" in end["error"].splitlines()[1]


def test_a_coroutine_is_canceled_as_such(agent: Agent, server: Server, tmp_path: Path) -> None:
    launch(server, "waits", str(tmp_path), grace=30)
    wait_until((tmp_path / "running").exists)
    server.command(cancels=[[1, 0, [[0, 1]]]])
    assert server.end(1)["outcome"] == "CANCELED"
    assert (tmp_path / "asked").read_text() == "False"


def test_a_long_message_keeps_class_beginning_and_last_frames(agent: Agent, server: Server) -> None:
    launch(server, "long_message", 2_600_000, 200)
    error = server.end(1)["error"]
    assert len(error) < 9000
    assert "ValueError: it begins here\nxxx" in error
    assert error.rindex("in long_message") < error.index("ValueError")
    assert "careless_tasks.py" in error
    assert "characters left out]" in error


def test_scalars_of_numpy_are_numbers_and_values_are_exact(agent: Agent, server: Server) -> None:
    launch(server, "scalars")
    result = server.result(1)
    assert result["numbers"] == [3, 1.5, 2.5, True]
    assert json.dumps(result["exact"]) == '[6.02e+23, -0.0, 1.0, 12345678901234567890, {"b": 1, "a": 2}]'


def test_what_is_no_json_is_told_with_its_place_and_what_would_do(agent: Agent, server: Server) -> None:
    launch(server, "array")
    assert server.end(1)["error"] == (
        "the result is no JSON value: result['rows'][0]['values'] is numpy.ndarray, which is not JSON serializable; "
        "return .tolist() instead"
    )


@pytest.mark.parametrize(("value", "said"), careless_tasks.MISFITS)
def test_a_misfit_is_named(value: Any, said: str) -> None:
    with pytest.raises(results.BadResult) as caught:
        results.encode(value)
    assert said in str(caught.value)


EXACT = '{"b": 6.02e+23, "a": [-0.0, 1.0, 1, 12345678901234567890, "\\u00e9", null], "__type__": "uuid", "__value__": "x"}'


def test_arguments_and_items_are_exact(agent: Agent, server: Server) -> None:
    value = json.loads(EXACT)
    launch(server, "returns", value)
    server.launch(2, python="careless_tasks:returns", foreach=[value], items={"0": value})
    need = {"stage": 5, "name": "a", "parallelism": 1, "exchange": "all", "given": [[0, EXACT]]}
    server.launch(3, python="agent_tasks:inputs", inputs=[need])
    server.launch(
        4, command='echo "{\\"result\\": $(cat $SWITCHYARD_INPUTS)}" > $SWITCHYARD_REPORT', shell=True, inputs=[need]
    )
    for stage in range(1, 5):
        server.result(stage)
    inputs = f'{{"a": [{EXACT}]}}'
    assert [server.ends()[stage, 0, 0] for stage in range(1, 5)] == [EXACT, EXACT, inputs, inputs]


def test_what_breaks_the_worker_itself_is_told_with_its_cause(agent: Agent, server: Server) -> None:
    launch(server, "raises_in_worker")
    end = server.end(1)
    assert end["class"] == "user_error"
    assert "TypeError: '<=' not supported" in end["error"]


@pytest.mark.parametrize("value", [None, True, False, 0, -7, 2**70, "a", 0.1, [None], {"a": True}])
def test_a_result_is_written_as_json_is(value: Any) -> None:
    assert results.encode(value) == json.dumps(value)


def test_a_number_of_too_many_digits_is_refused() -> None:
    with pytest.raises(results.BadResult, match="Exceeds the limit"):
        results.encode(10**5000)
