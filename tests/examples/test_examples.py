"""The examples as a newcomer runs them: each alone, on a stack that is up."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from launch.config import ROOT
from tests.switchyard.stacks import Running

pytestmark = pytest.mark.timeout(240)
MOST_LINES = 5_000_000


def test_index_of_the_standard_library_is_real_and_has_a_chart(stack: Running) -> None:
    job = submitted(stack, "examples/standard-library.yaml")
    [report] = job["results"]["report"]
    assert report["files"] > 100
    assert 10_000 < report["lines"] < MOST_LINES
    assert 0 < report["docstring_coverage"] < 1
    scan = next(stage for stage in job["stages"] if stage["name"] == "scan")
    assert scan["tasks"]["FINISHED"] == scan["parallelism"] == 48
    picture = stack.switchyard("results", str(job["number"]), "chart", "0", "--raw")
    assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_retry_mends_the_task_that_fails_at_first(stack: Running) -> None:
    job = submitted(stack, "examples/mixed.yaml")
    [report] = job["results"]["report"]
    assert report["system"].startswith("Linux ")
    number = str(job["number"])
    assert "the source is busy" in stack.command("logs", number, "fetch", "1", "--attempt", "0").stderr
    assert stack.switchyard("logs", number, "fetch", "1").startswith("uname -r says ")


def test_job_built_in_python_gives_its_report(stack: Running) -> None:
    said = run(stack, ROOT / "examples" / "builder.py")
    assert "FINISHED 100%" in said
    assert "has a docstring" in said


def test_job_of_the_readme_gives_what_the_readme_says(stack: Running, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "squares.py").write_text(code)
    promised = re.search(r"# ({'total'.*})", code)
    assert promised is not None
    assert run(stack, tmp_path / "squares.py").strip() == promised[1]


def submitted(stack: Running, file: str) -> dict[str, Any]:
    """Run an example to its end and return the job with its results."""
    job: dict[str, Any] = json.loads(stack.switchyard("submit", file, "--wait", "--json"))
    return job


def run(stack: Running, program: Path) -> str:
    """Run a Python program as a user of the stack, and return what it wrote."""
    done = subprocess.run(
        (sys.executable, program), env=stack.environ, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
