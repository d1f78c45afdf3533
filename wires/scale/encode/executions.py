"""Attempts on a node in Scale's words: by job type, failed ones also by category. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from switchyard.scheduling.failing import Category
from wires.scale.states import COMPLETED

#: Attempts on each node, by what became of them: type of job and how many.
Counted = dict[int, dict[str, list[tuple[int, int]]]]
RUNNING = "running"


def counted(running: Iterable[tuple[int, int, int]], ended: Iterable[tuple[int, int, str, int]]) -> Counted:
    """Sort what is counted of attempts by node."""
    found: Counted = defaultdict(lambda: defaultdict(list))
    for node, type_, count in running:
        found[node][RUNNING].append((type_, count))
    for node, type_, outcome, count in ended:
        found[node][outcome].append((type_, count))
    return found


def told(counts: dict[str, list[tuple[int, int]]]) -> dict[str, Any]:
    """Tell how attempts went on one node."""
    failed = {category.value: _by_type(counts.get(category, [])) for category in Category}
    return {
        "running": _by_type(counts.get(RUNNING, [])),
        "completed": _by_type(counts.get(COMPLETED, [])),
        "failed": {"total": sum(one["total"] for one in failed.values()), **failed},
    }


def _by_type(counts: list[tuple[int, int]]) -> dict[str, Any]:
    return {
        "total": sum(count for _, count in counts),
        "by_job_type": [{"job_type_id": type_, "count": count} for type_, count in sorted(counts)],
    }
