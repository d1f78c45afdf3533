"""Nothing but the life cycle, and the stores that write what its rules decided, assigns a state of jobs and tasks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What cannot reach records: what users import, and the agent.
ELSEWHERE = ("switchyard/cli", "switchyard/agent", "switchyard/errors.py")
PACKAGES = ("switchyard", "jobs", "nodes", "access", "artifacts", "database", "wires", "status", "scheduler_project", "bench")
ALLOWED = (
    "switchyard/scheduling/lifecycle/rows.py",
    "switchyard/simulation/memory/tasks.py",
    "switchyard/simulation/memory/rounds.py",
    "jobs/store/writes.py",
    "jobs/store/tasks.py",
    "jobs/store/reported.py",
    "jobs/store/lost_nodes.py",
    "jobs/store/jobs.py",
    "jobs/store/reuse.py",
    # States of checkpoints, by the verdicts of the rules.
    "jobs/store/checkpoints.py",
    "jobs/store/savepoints.py",
)
#: Calls that ask for rows by their state, conditions of that, and one that draws a column.
QUESTIONS = {"filter", "exclude", "get", "annotate", "Q"}
#: What comes before an assignment in SQL, and before a comparison. Some statements are put together from parts.
WORDS = re.compile(r"\b(SET|WHERE|AND|OR|ON|WHEN|CASE|SELECT|FILTER|NOT)\b|(?<![\w>])(?:\w\.)?(state)\s*=(?!=)")


def assigned(path: Path) -> Iterator[int]:
    """Yield the lines at which a state is assigned."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store):
            yield node.lineno
        elif isinstance(node, ast.Call) and _name(node.func) not in QUESTIONS:
            if any(keyword.arg == "state" for keyword in node.keywords):
                yield node.lineno
        elif isinstance(node, ast.Dict) and any(isinstance(key, ast.Constant) and key.value == "state" for key in node.keys):
            values = dict(zip((getattr(key, "value", None) for key in node.keys), node.values, strict=True))
            if _is_state(values["state"]):
                yield node.lineno
        elif isinstance(node, ast.JoinedStr | ast.Constant) and _sets_state(_text(node)):
            yield node.lineno


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _is_state(value: ast.expr) -> bool:
    """Return whether a value is a member of TaskState or JobState."""
    return isinstance(value, ast.Attribute) and _name(value.value) in ("TaskState", "JobState")


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def _sets_state(text: str) -> bool:
    last = "SET"
    for keyword, state in WORDS.findall(text):
        if state and last == "SET":
            return True
        last = keyword or last
    return False


def files() -> list[str]:
    found = [str(path.relative_to(ROOT)) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "/migrations/" not in path and not path.startswith(ELSEWHERE)]


def test_nothing_else_assigns_a_state() -> None:
    found = {path: lines for path in files() if (lines := list(assigned(ROOT / path)))}
    assert {path: lines for path, lines in found.items() if path not in ALLOWED} == {}


@pytest.mark.parametrize("path", ALLOWED)
def test_every_exception_is_needed(path: str) -> None:
    assert list(assigned(ROOT / path))


@pytest.mark.parametrize(
    "source",
    [
        "job.state = JobState.RUNNING",
        "job.state, job.error = JobState.RUNNING, ''",
        "Job.objects.filter(id=1).update(state=JobState.RUNNING)",
        "replace(job, state=JobState.RUNNING)",
        "replace(job, **{'state': JobState.RUNNING})",
        "rows.execute('UPDATE jobs_job j SET error = %s, state = %s WHERE id = %s')",
        "move(told, RANGE, f'state = {after}', before)",
    ],
)
def test_an_assignment_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "a.py").write_text(source)
    assert list(assigned(tmp_path / "a.py"))


@pytest.mark.parametrize(
    "source",
    [
        "job.state == JobState.RUNNING",
        "Job.objects.filter(state=JobState.RUNNING)",
        "rows.fetch('SELECT id FROM jobs_job WHERE id = %s AND j.state = %s')",
        "rows.execute('UPDATE jobs_job SET error = %s WHERE state = %s')",
    ],
)
def test_a_question_is_none(tmp_path: Path, source: str) -> None:
    (tmp_path / "a.py").write_text(source)
    assert not list(assigned(tmp_path / "a.py"))
