"""SQL names the tables of its own package. Where it names others, it stands in the list below, which only grows shorter."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("access", "artifacts", "database", "jobs", "nodes", "status", "wires", "scheduler_project")
TABLE = re.compile(r"\b(access|artifacts|auth|jobs|nodes)_[a-z]+\b")
SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|JOIN)\b")
#: What `fsck` compares lies in several packages; the leader and the store read and mark nodes in statements of their own.
OTHERS = {
    "jobs/checks/audit.py",
    "jobs/checks/invariants.py",
    "jobs/checks/waits.py",
    "jobs/leader/clocks.py",
    "jobs/leader/deafness.py",
    "jobs/leader/lists.py",
    "jobs/leader/lost_nodes.py",
    "jobs/leader/pauses.py",
    "jobs/reading/explanations.py",
    "jobs/reading/jobs.py",
    "jobs/store/lost_nodes.py",
    "jobs/store/quotas.py",
    "jobs/store/records.py",
    "jobs/store/rounds.py",
    "jobs/store/tasks.py",
    "jobs/store/writes.py",
    "jobs/upkeep/retention.py",
    "nodes/trust.py",
}


def names_others(path: Path) -> bool:
    own = path.relative_to(ROOT).parts[0]
    texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
    return any(
        {"auth": "access"}.get(table[1], table[1]) != own
        for text in texts
        if isinstance(text, str) and SQL.search(text)
        for table in TABLE.finditer(text)
    )


def test_sql_names_the_tables_of_its_own_package() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    assert {str(path.relative_to(ROOT)) for path in paths if names_others(path)} == OTHERS
