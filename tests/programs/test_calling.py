"""Functions of programs are called as their parameters ask, and what comes along with the program is not packed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchyard.programs.calling import describe
from switchyard.programs.errors import BadEntry

MODULE = "program_of_test_calling"
SOURCE = """
from switchyard import Job

STAGES = [{"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"], "parallelism": 2}]

def told(arguments):
    return {"name": " ".join(arguments), "stages": STAGES}

def sized(arguments, parallelism):
    return {"name": str(parallelism), "stages": STAGES}

def alone(*, parallelism=None):
    return {"name": str(parallelism), "stages": STAGES}

class Made:
    @staticmethod
    def job(arguments, **more):
        job = Job("made")
        job.stage("a", python=told, args=[1])
        return job
"""


@pytest.fixture(autouse=True)
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop(MODULE, None)


def called(name: str, *arguments: str, parallelism: int | None = None, most: int = 10_000) -> dict[str, Any]:
    return describe(f"{MODULE}:{name}", arguments, parallelism, most)


def test_arguments_are_given_as_a_list() -> None:
    assert called("told", "a", "b")["name"] == "a b"


def test_a_parallelism_that_is_not_asked_for_is_that_of_the_stages_that_say_none() -> None:
    assert [stage.get("parallelism") for stage in called("told", parallelism=3)["stages"]] == [3, 2]
    assert [stage.get("parallelism") for stage in called("sized", parallelism=3)["stages"]] == [None, 2]
    assert called("sized", parallelism=3)["name"] == "3"
    assert called("alone", parallelism=3)["name"] == "3"


def test_a_function_without_parameters_takes_no_arguments() -> None:
    with pytest.raises(BadEntry, match="takes no arguments, and was given 1"):
        called("alone", "a")


def test_callables_of_the_program_are_named_and_not_packed() -> None:
    [stage] = called("Made.job")["stages"]
    assert (stage["python"], "files" in stage) == (f"{MODULE}:told", False)


def test_a_description_is_bounded() -> None:
    with pytest.raises(BadEntry, match="at most 20 are accepted"):
        called("told", most=20)
