"""Comparing two commits."""

import subprocess
import sys
from typing import Any

from bench.pairs import compared
from launch.config import ROOT


def rows(*rates: float | None) -> list[dict[str, Any]]:
    """Return two rows of a workload on one agent, and one on two; a rate of None could not be measured."""
    kinds = [("chain", 1), ("chain", 1), ("chain", 2)]
    told = [{"per_s": rate} if rate else {"not_available": "no reason"} for rate in rates]
    return [{"workload": name, "agents": agents, **each} for (name, agents), each in zip(kinds, told, strict=True)]


def test_rows_are_compared_with_those_at_their_place() -> None:
    pairs = [(rows(100, 10, 1), rows(110, 9, 1)), (rows(200, None, 1), rows(180, 8, 1)), (rows(100, 10, 2), rows(130, 5, 1))]
    first, second, third = compared(pairs)
    assert (first["agents"], first["row"], first["before"], first["after"]) == (1, 0, [100, 200, 100], [110, 180, 130])
    assert (first["ratios"], first["median"]) == ([0.9, 1.1, 1.3], 1.1)
    assert (second["row"], second["ratios"], second["median"]) == (1, [0.5, 0.9], 0.7)
    assert (third["agents"], third["row"], third["median"]) == (2, 0, 1.0)


def test_a_commit_that_is_none_is_told_in_a_sentence() -> None:
    command = (sys.executable, "-m", "bench.pairs", "no-such-commit", "HEAD", "chain")
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.startswith("no-such-commit cannot be checked out: ")
    assert "Traceback" not in said.stderr
