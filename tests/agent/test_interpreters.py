"""Interpreters: stages that bring a Python of their own, with its own packages and none of the agent's."""

import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.agent.process import Agent
from tests.agent.server import Server

ASK = """
import importlib.util
import sys

def where(task, text):
    import only_here
    print("speaking")
    return [text, only_here.WORD, sys.prefix, importlib.util.find_spec("celery") is None, task.inputs["a"]]
"""


@pytest.fixture
def own_python(tmp_path: Path) -> Path:
    """Give the Python of an environment with one module of its own."""
    home = tmp_path / "own"
    venv.create(home, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "lib" / version / "site-packages" / "only_here.py").write_text("WORD = 'found'\n")
    return home / "bin" / "python"


def test_a_stage_runs_in_the_interpreter_it_names(agent: Agent, server: Server, own_python: Path) -> None:
    server.files[1] = {"ask.py": ASK}
    need = {"stage": 9, "name": "a", "parallelism": 2, "exchange": "all", "given": [[0, "1"], [1, "2"]]}
    how: dict[str, Any] = {"python": "ask:where", "args": ["hello"], "files_digest": "d1", "interpreter": str(own_python)}
    server.launch(1, 3, inputs=[need], **how)
    for index in range(3):
        assert server.result(1, index) == ["hello", "found", str(own_python.parent.parent), True, [1, 2]]
    assert server.end(1)["logs"]["stdout"]["bytes"] == len("speaking\n")


def test_stages_in_several_interpreters_run_beside_each_other(agent: Agent, server: Server, tmp_path: Path) -> None:
    link = tmp_path / "linked-python"
    link.symlink_to(sys.executable)
    server.files[1] = {"ask.py": "import sys\n\ndef which(): return sys.orig_argv[0]\n"}
    server.launch(1, python="ask:which", files_digest="d1", interpreter=str(link))
    server.launch(2, 10, python="agent_tasks:square")
    assert server.result(1) == str(link)
    assert [server.result(2, index) for index in range(10)] == [index**2 for index in range(10)]


@pytest.mark.parametrize(
    ("interpreter", "why"),
    [
        ("/bin/false", "/bin/false cannot be started as an interpreter"),
        ("/no/such/python", "the interpreter /no/such/python is missing"),
        ("nosuchpython", "the interpreter nosuchpython is missing"),
    ],
)
def test_an_interpreter_that_does_not_run_here_is_the_loss_of_the_node(
    agent: Agent, server: Server, interpreter: str, why: str
) -> None:
    server.launch(1, 10, python="agent_tasks:square", interpreter=interpreter)
    end = server.end(1)
    assert (end["class"], end["unfit"]) == ("lost", why)
    assert end["error"] == f"the node could not run the task: {why}"
    server.until(lambda: len(server.ends()) + len(server.returned()) == 10)
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
