"""`make demo` on the real stack: it runs a job, shows the result, says where to look, and leaves the stack up."""

from pathlib import Path

import pytest

from tests.launch.test_up import Stack

pytestmark = pytest.mark.timeout(240)


def test_demo_shows_a_result_and_leaves_the_stack_up(data: Path, free_port: int) -> None:
    stack = Stack(data, free_port)
    try:
        said = stack.run("demo", SLOTS="2")
        assert said.returncode == 0, said.stdout + said.stderr
        assert "No node" not in said.stderr
        assert "scan: finished (48/48)" in said.stderr
        assert '"docstring_coverage"' in said.stdout
        assert f"pages   {stack.config.url}/ui/" in said.stdout
        assert stack.run("status").returncode == 0
    finally:
        stack.run("down")
