"""What the tasks of standard-library.yaml do: index the standard library of the Python that runs them.

Its source is there wherever Python is, so this is real work on real input that needs nothing brought along.
"""

import ast
import os
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from html import escape
from keyword import iskeyword
from pathlib import Path
from token import NAME, tok_name
from typing import Any

from switchyard.task import Task

LIBRARY = Path(sysconfig.get_path("stdlib"))
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
LONGEST_SHOWN = 5
KINDS_SHOWN = 5
NAMES_SHOWN = 10
PACKAGES_SHOWN = 20
BAR, GAP, LEFT, WIDTH = 18, 6, 150, 760

Found = dict[str, Any]
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def groups(number: int) -> list[list[str]]:
    """Return the library's files in so many groups of about the same size, as lists of paths relative to it."""
    sizes = {str(file.relative_to(LIBRARY)): file.stat().st_size for file in _files()}
    found: list[list[str]] = [[] for _ in range(min(number, len(sizes)))]
    filled = [0] * len(found)
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        emptiest = filled.index(min(filled))
        found[emptiest].append(path)
        filled[emptiest] += sizes[path]
    return found


def scan(task: Task, paths: list[str]) -> Found:
    """Tokenize and parse the files of one group, the item of this task, and return what they add up to."""
    found: Found = dict.fromkeys(("files", "lines", "definitions", "documented"), 0)
    found |= {name: Counter() for name in ("tokens", "names", "packages")} | {"longest": []}
    for done, path in enumerate(paths):
        _scan_file(path, found)
        task.progress((done + 1) / len(paths))
    task.accumulate("lines", found["lines"])
    print(f"{found['files']} files, {found['lines']:,} lines")
    return found | {"longest": sorted(found["longest"], reverse=True)[:LONGEST_SHOWN]}


def merge(task: Task) -> Found:
    """Add up what the groups have found."""
    parts = task.inputs["scan"]
    whole: Found = {name: sum(part[name] for part in parts) for name in ("files", "lines", "definitions", "documented")}
    for name in ("tokens", "names", "packages"):
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part[name])
        whole[name] = dict(total.most_common())
    longest = sorted((each for part in parts for each in part["longest"]), reverse=True)
    return whole | {"longest": longest[:LONGEST_SHOWN]}


def report(task: Task) -> Found:
    """Return the figures that people ask for."""
    [whole] = task.inputs["merge"]
    return {
        "files": whole["files"],
        "lines": whole["lines"],
        "tokens": sum(whole["tokens"].values()),
        "different_names": len(whole["names"]),
        "docstring_coverage": round(whole["documented"] / max(1, whole["definitions"]), 3),
        "longest_functions": [f"{lines} lines: {name}" for lines, name in whole["longest"]],
        "names_used_most": [f"{count:,} times: {name}" for name, count in _top(whole["names"], NAMES_SHOWN)],
        "token_kinds": [f"{count:,} times: {kind}" for kind, count in _top(whole["tokens"], KINDS_SHOWN)],
    }


def chart(task: Task) -> str:
    """Return an SVG picture of the largest modules and packages by lines."""
    [whole] = task.inputs["merge"]
    shown = _top(whole["packages"], PACKAGES_SHOWN)
    most = max(lines for _, lines in shown)
    height = len(shown) * (BAR + GAP) + GAP
    bars = "".join(_bar(GAP + at * (BAR + GAP), name, lines, most) for at, (name, lines) in enumerate(shown))
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">{bars}</svg>'


def _files() -> Iterator[Path]:
    for folder, folders, files in os.walk(LIBRARY):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))


def _scan_file(path: str, found: Found) -> None:
    """Add one file to what was found."""
    try:
        with tokenize.open(LIBRARY / path) as text:
            source = text.read()
        tokens = list(tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__))
        definitions = list(_definitions(ast.parse(source)))
    except (SyntaxError, tokenize.TokenError):
        print(f"{path} is left out: it is not Python that this Python reads")
        return
    lines = source.count("\n")
    found["files"] += 1
    found["lines"] += lines
    found["packages"][Path(path).parts[0].removesuffix(".py")] += lines
    found["tokens"].update(tok_name[token.type] for token in tokens)
    found["names"].update(token.string for token in tokens if token.type == NAME and not iskeyword(token.string))
    found["definitions"] += len(definitions)
    found["documented"] += sum(ast.get_docstring(each, clean=False) is not None for each in definitions)
    found["longest"] += (
        [(each.end_lineno or each.lineno) - each.lineno + 1, f"{path}:{each.name}"]
        for each in definitions
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _definitions(tree: ast.Module) -> Iterator[Definition]:
    """Yield the module and its public classes and functions, wherever they stand."""
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def _top(counts: dict[str, int], number: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:number]


def _bar(top: int, name: str, lines: int, most: int) -> str:
    length, middle = round((WIDTH - LEFT - 70) * lines / most, 1), top + 0.72 * BAR
    return (
        f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{length}" height="{BAR}" fill="#3b82f6"/>'
        f'<text x="{LEFT + length + 6}" y="{middle:.1f}" fill="#555">{lines:,}</text>'
    )
