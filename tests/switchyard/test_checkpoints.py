"""Checkpoints by the command line, against a real stack: asked for, listed, and one shown by stage."""

import re
from pathlib import Path

import pytest

from launch.processes import wait_until
from tests.switchyard.stacks import Running
from tests.switchyard.test_cli import LONG, read

pytestmark = pytest.mark.timeout(240)


def test_checkpoints_of_a_job_are_shown(stack: Running, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(LONG)
    number = stack.switchyard("submit", job).strip()
    assert wait_until(lambda: read(stack, "show", number)["tasks"]["RUNNING"] == 1, 60)
    assert f"checkpoint of job {number} is done" in stack.switchyard("checkpoint", number, "--wait")
    assert re.search(r"^1 +COMPLETED +1/1 +0 B +.* ago ", stack.switchyard("checkpoints", number), re.MULTILINE)
    [found] = read(stack, "checkpoints", number, "--state", "completed")
    assert (found["number"], found["periodic"], found["tasks"], found["answered"]) == (1, False, 1, 1)
    assert re.search(r"^first +1/1 +0 B +.* ago", stack.switchyard("checkpoints", number, "1"), re.MULTILINE)
    assert read(stack, "checkpoints", number, "1")["stages"][0]["answered"] == 1
    stack.switchyard("checkpoints", number, "2", status=5)
    stack.switchyard("cancel", number)
