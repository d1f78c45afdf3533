"""The job builder: what it writes is a job description, and what code can say better than a file, it may."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from agent.calling import Failure, PythonStage
from scheduling.errors import InvalidSpec
from scheduling.spec import parse
from switchyard import Job
from switchyard.errors import Unpackable
from switchyard.task import Task


def test_built_job_is_a_valid_description_with_its_edges() -> None:
    job = Job("Index", priority=5, labels={"team": "search"}, retry={"attempts": 3})
    listed = job.stage("list", python="indexing:modules")
    scan = job.stage("scan", command=["python3", "scan.py"], foreach=listed, resources={"cpus": 0.5})
    job.stage("merge", python="indexing:merge", needs=[scan, "list"])
    spec = parse(json.dumps(job.description()))
    assert spec.links == (("list", ()), ("scan", ("list",)), ("merge", ("scan", "list")))
    assert (spec.priority, spec.retry.attempts, spec.stages[1].resources["cpus"]) == (5, 3, 500)


def test_stage_can_be_needed_task_by_task() -> None:
    job = Job("Pairs")
    left = job.stage("left", command=["true"], parallelism=4)
    job.stage("right", command=["true"], parallelism=2, needs=[left.pointwise])
    assert job.description()["stages"][1]["needs"] == [{"stage": "left", "exchange": "pointwise"}]


def test_function_is_named_and_its_file_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting.py").write_text("def shout(word): return word.upper()")
    monkeypatch.syspath_prepend(tmp_path)
    job = Job("Shout")
    job.stage("shout", python=import_module("shouting").shout, args=("hello",))
    stage = job.description()["stages"][0]
    assert stage["python"] == "shouting:shout"
    assert stage["files"] == {"shouting.py": "def shout(word): return word.upper()"}
    assert stage["args"] == ["hello"]


@pytest.mark.parametrize("function", [len, lambda: None, Path("x").exists])
def test_function_that_workers_cannot_find_is_refused(function: object) -> None:
    with pytest.raises(Unpackable, match="module:function"):
        Job("Shout").stage("shout", python=function)  # type: ignore[arg-type]


def test_function_of_a_package_is_to_be_named_as_text() -> None:
    with pytest.raises(Unpackable, match=r"'scheduling\.spec\.parsing:parse'"):
        Job("Parse").stage("parse", python=parse)


def test_local_files_are_packed(tmp_path: Path) -> None:
    (tmp_path / "scan.py").write_text("print('scanned')\n")
    job = Job("Scan")
    job.stage("scan", command=["python3", "scan.py"], files=[tmp_path / "scan.py"])
    job.stage("again", command=["python3", "lib/scan.py"], files={"lib/scan.py": tmp_path / "scan.py", "note": "text"})
    scan, again = job.description()["stages"]
    assert scan["files"] == {"scan.py": "print('scanned')\n"}
    assert again["files"] == {"lib/scan.py": "print('scanned')\n", "note": "text"}


def test_all_that_is_wrong_is_said_before_anything_is_sent() -> None:
    job = Job("Wrong")
    job.stage("a", command=["true"], parallelism=0)
    job.stage("b", command=["true"], timeout=-1)
    with pytest.raises(InvalidSpec) as caught:
        job.description()
    assert [fault.path for fault in caught.value.faults] == ["stages[0].parallelism", "stages[1].timeout"]


def test_a_script_that_submits_where_its_tasks_are_loaded_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "from switchyard import Client\ndef work(): return 1\nClient('http://127.0.0.1:9').submit({})\n"
    (tmp_path / "unguarded_script.py").write_text(script)
    monkeypatch.syspath_prepend(tmp_path)
    told = {
        "parallelism": 1,
        "inputs": [],
        "python": "unguarded_script:work",
        "args": [],
        "kwargs": {},
        "foreach": False,
    }
    failed = PythonStage(told).run(Task(0, 1))
    assert isinstance(failed, Failure)
    assert 'below `if __name__ == "__main__":` alone' in failed.error
