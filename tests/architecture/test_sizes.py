"""Files and functions that a person can hold in the head."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if not {"migrations", "build"} & set(path.parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
#: Lines of a file, and of a function.
FILE, FUNCTION = 400, 50


def long_functions(path: Path) -> list[str]:
    return [
        f"{node.name} has {length} lines"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= FILE
    assert long_functions(path) == []
