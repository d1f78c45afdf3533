"""What the tasks of the examples do, called as tasks are, without a server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from switchyard.task import Task

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = '''"""Documented."""

def long(a):
    """Documented."""
    b = a
    return b

def short(): return 1
def _private(): return 2
'''


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put the examples where their modules can be imported."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield EXAMPLES
    for name in ("standard_library", "mixed", "builder"):
        sys.modules.pop(name, None)


@pytest.fixture
def library(examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the module of the first example, and a small library to read: two modules and a file that is none."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "one.py").write_text(SOURCE)
    (tmp_path / "two.py").write_text("two = 2\n")
    (tmp_path / "template.py").write_text("class $name:\n")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text("other = 1\n")
    module = import_module("standard_library")
    monkeypatch.setattr(module, "LIBRARY", tmp_path)
    return module


def through_json(value: Any) -> Any:
    """Hand a result over as it travels between tasks."""
    return json.loads(json.dumps(value, allow_nan=False))


def test_groups_share_out_every_module_of_the_library_once(library: ModuleType) -> None:
    groups = library.groups(2)
    assert len(groups) == 2
    assert sorted(path for group in groups for path in group) == ["package/one.py", "template.py", "two.py"]
    assert len(library.groups(100)) == 3


def test_index_is_the_same_however_the_library_is_shared_out(library: ModuleType) -> None:
    reports = []
    for number in (1, 3):
        scans = [library.scan(Task(at, number), group) for at, group in enumerate(library.groups(number))]
        whole = through_json(library.merge(Task(0, 1, inputs={"scan": through_json(scans)})))
        reports.append(through_json(library.report(Task(0, 1, inputs={"merge": [whole]}))))
    assert reports[0] == reports[1]
    assert (reports[0]["files"], reports[0]["lines"]) == (2, 10)
    assert reports[0]["docstring_coverage"] == 0.5
    assert reports[0]["longest_functions"][0] == "4 lines: package/one.py:long"
    assert "2 times: b" in reports[0]["names_used_most"]


def test_chart_is_an_svg_with_a_bar_for_each_package(library: ModuleType) -> None:
    whole = {"packages": {"a<b": 10, "two": 5}}
    picture = ElementTree.fromstring(library.chart(Task(0, 1, inputs={"merge": [whole]})))
    bars = picture.findall("{http://www.w3.org/2000/svg}rect")
    assert [float(bar.get("width", 0)) for bar in bars] == [540.0, 270.0]


def test_scan_tells_how_far_it_is(library: ModuleType) -> None:
    task = Task(0, 1)
    library.scan(task, ["two.py", "template.py"])
    assert (task.metrics, task.accumulators) == ({"progress": 1.0}, {"lines": 1})


def test_command_that_finds_its_source_busy_asks_for_another_attempt(tmp_path: Path) -> None:
    said = [_fetch(tmp_path, attempt) for attempt in (0, 1)]
    assert [each.returncode for each in said] == [75, 0]
    assert b"busy" in said[0].stderr
    assert "result" in json.loads((tmp_path / "report").read_text())


def test_builder_describes_the_job_of_the_file(examples: Path) -> None:
    described = import_module("builder").build().description()
    assert [stage["name"] for stage in described["stages"]] == ["list", "scan", "merge", "report"]
    assert all(list(stage["files"]) == ["standard_library.py"] for stage in described["stages"])


def _fetch(folder: Path, attempt: int) -> subprocess.CompletedProcess[bytes]:
    told = {"ITEM": '"m"', "TASK_INDEX": "1", "ATTEMPT": str(attempt), "REPORT": str(folder / "report")}
    env = {f"SWITCHYARD_{name}": value for name, value in told.items()} | {"PATH": "/usr/bin:/bin"}
    return subprocess.run(("sh", EXAMPLES / "fetch.sh"), env=env, capture_output=True, check=False)
