"""The leader reads clocks in one place, so that tests and simulations set them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT) for room in ("jobs/leader", "switchyard/leader") for path in (ROOT / room).glob("*.py"))
ADAPTER = Path("jobs/leader/clock.py")
CLOCKS = {
    "time": {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"},
    "timezone": {"now"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}


def clocks_read(path: Path) -> list[str]:
    """Return the clocks that a file names, as an attribute or by an import."""
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    found = []
    for node in tree:
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS.get(_last_name(node.value), ()):
            found.append(f"{_last_name(node.value)}.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "django.utils.timezone"):
            found += [f"{node.module}.{each.name}" for each in node.names]
    return found


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_clock_is_read_in_its_adapter_alone(path: Path) -> None:
    assert bool(clocks_read(ROOT / path)) == (path == ADAPTER)
