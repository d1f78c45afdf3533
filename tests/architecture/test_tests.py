"""What tests must not do to each other."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
#: Its import changes the process for good: it waits 0.1 s for the broker, as fits a web process and no test under load.
WEB_PROCESS = {"scheduler_project.asgi", "scheduler_project.wsgi"}
#: Packages that have services, or need them.
SERVICES = {"access", "artifacts", "database", "django", "jobs", "launch", "nodes", "psycopg", "redis", "status", "wires"}


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    whole = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    return whole | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_no_test_turns_its_process_into_a_web_process() -> None:
    files = list(TESTS.rglob("*.py"))
    assert len(files) > 100
    assert [file.name for file in files if WEB_PROCESS & imported(file)] == []


def test_the_pure_tier_needs_no_services() -> None:
    named = re.search(r"^PURE := (.+)$", (TESTS.parent / "Makefile").read_text(), re.M)
    assert named is not None
    files = [file for folder in named[1].split() for file in (TESTS.parent / folder).rglob("*.py")]
    assert len(files) > 30
    assert {file.name for file in files if SERVICES & {name.partition(".")[0] for name in imported(file)}} == set()
