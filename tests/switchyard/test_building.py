"""The job builder: what it writes is a job description, and what code can say better than a file, it may."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from switchyard import Job, typed_functions
from switchyard.agent.worker.failures import Failure
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.python_task import PythonStage
from switchyard.errors import Unpackable
from switchyard.scheduling.errors import InvalidSpec
from switchyard.scheduling.spec import parse
from switchyard.task import Task

ROOT = Path(__file__).parents[2]
#: What ends a program that holds a function `work`.
DESCRIBED = """
import json
job = Job("x")
job.stage("a", python=work)
print(json.dumps(job.description()))
"""
LIMIT = 7


def within_limit(number: int) -> bool:
    return number < LIMIT


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


def test_a_function_of_a_package_brings_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "drawn_shapes"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "round.py").write_text("from drawn_shapes import flat\ndef area(): return flat.HEIGHT")
    (package / "flat.py").write_text("HEIGHT = 3")
    (package / "data" / "sizes.bin").write_bytes(b"\xff")
    monkeypatch.syspath_prepend(tmp_path)
    job = Job("Shapes")
    job.stage("area", python=import_module("drawn_shapes.round").area)
    stage = job.description()["stages"][0]
    assert stage["python"] == "drawn_shapes.round:area"
    assert stage["files"]["drawn_shapes/flat.py"] == "HEIGHT = 3"
    assert stage["files"]["drawn_shapes/data/sizes.bin"] == {"base64": "/w=="}
    assert len(stage["files"]) == 4


def test_an_environment_is_that_of_a_stage_or_of_a_job(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.4.6\n")
    job = Job("Numbers", environment={"lock": lock})
    job.stage("a", python="m:f")
    job.stage("b", python="m:f", environment={"requirements": ["numpy>=2"], "python": "3.12"})
    told = job.description()
    assert told["environment"] == {"lock": "numpy==2.4.6\n"}
    assert "environment" not in told["stages"][0]
    assert told["stages"][1]["environment"]["python"] == "3.12"


def test_function_of_an_installed_package_is_to_be_named_as_text() -> None:
    with pytest.raises(Unpackable, match=r"'switchyard\.scheduling\.spec\.parsing:parse'"):
        Job("Parse").stage("parse", python=parse)


@pytest.mark.parametrize(
    ("script", "module"),
    [("run-etl.py", "run_etl"), ("01_ingest.py", "_01_ingest"), ("class.py", "_class"), ("a b.c.py", "a_b_c")],
)
def test_a_script_with_any_name_can_be_the_home_of_its_tasks(tmp_path: Path, script: str, module: str) -> None:
    text = "from switchyard import Job\ndef work(): return 1\n" + DESCRIBED
    (tmp_path / script).write_text(text)
    stage = described(tmp_path / script)
    assert (stage["python"], stage["files"]) == (f"{module}:work", {f"{module}.py": text})


def test_functions_of_a_notebook_travel_with_what_they_use() -> None:
    cell = """
import os.path as paths
from math import sqrt

def root(number):
    return sqrt(number)

def work(number):
    return paths.basename("a/b"), root(number)
"""
    kept = (
        f"import linecache; cell = {cell!r}; linecache.cache['<cell>'] = (len(cell), None, cell.splitlines(True), '<cell>')"
    )
    run = "exec(compile(cell, '<cell>', 'exec'))\nfrom switchyard import Job\n"
    stage = described("-c", f"{kept}\n{run}{DESCRIBED}")
    made: dict[str, Any] = {}
    exec(stage["files"]["typed.py"], made)  # noqa: S102  # what a worker does with it
    assert stage["python"] == "typed:work"
    assert made["work"](9) == ("b", 3.0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("def work(): return 1\n", "work was typed where Python keeps no source: put it into a file of its own"),
        ("work = lambda: 1\n", "name it as 'module:function'"),
    ],
)
def test_functions_typed_at_a_prompt_are_told_to_move_into_a_file(lines: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        described("-", stdin=f"from switchyard import Job\n{lines}{DESCRIBED}")


def test_a_value_beside_a_function_of_a_notebook_is_told_to_be_handed_over() -> None:
    with pytest.raises(Unpackable, match="within_limit uses LIMIT, which is defined beside it"):
        typed_functions.source(within_limit)


def described(*argv: str | Path, stdin: str = "") -> dict[str, Any]:
    """Run a program that describes a job, and return its first stage."""
    done = subprocess.run((sys.executable, *argv), input=stdin, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    stage: dict[str, Any] = json.loads(done.stdout)["stages"][0]
    return stage


def test_local_files_are_packed(tmp_path: Path) -> None:
    (tmp_path / "scan.py").write_text("print('scanned')\n")
    job = Job("Scan")
    job.stage("scan", command=["python3", "scan.py"], files=[tmp_path / "scan.py"])
    job.stage("again", command=["python3", "lib/scan.py"], files={"lib/scan.py": tmp_path / "scan.py", "note": "text"})
    scan, again = job.description()["stages"]
    assert scan["files"] == {"scan.py": "print('scanned')\n"}
    assert again["files"] == {"lib/scan.py": "print('scanned')\n", "note": "text"}


def test_executable_files_stay_executable(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    job = Job("Run")
    job.stage("run", command=["./run.sh"], files={"run.sh": tmp_path / "run.sh"})
    assert job.description()["stages"][0]["files"] == {"run.sh": {"text": "#!/bin/sh\n", "executable": True}}


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
        "id": 1,
        "parallelism": 1,
        "inputs": [],
        "outputs": {},
        "largest_file": 0,
        "file_inputs": {},
        "python": "unguarded_script:work",
        "args": [],
        "kwargs": {},
        "foreach": False,
        "disk": 0,
        "env": {"SWITCHYARD_JOB": "job"},
    }
    failed = PythonStage(told, tmp_path, tmp_path, tmp_path, Files(None)).run(Task(0, 1))
    assert isinstance(failed, Failure)
    assert 'below `if __name__ == "__main__":` alone' in failed.error
