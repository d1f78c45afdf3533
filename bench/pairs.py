"""Compare two commits: `python -m bench.pairs BEFORE AFTER --times 3 workload …`.

Both are measured in turn, each pair in the other order, since machines get faster and slower by the minute. Rows of JSON on
standard output: for each row of a workload the rates of both, and their ratios (AFTER / BEFORE). Both run with the packages
of this environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.workloads import NAMES
from launch.config import ROOT

Row = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure, and say how the second commit compares with the first."""
    parser = argparse.ArgumentParser(prog="python -m bench.pairs", description="Compare the speed of two commits, in turn.")
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", help="another commit")
    parser.add_argument("workloads", nargs="+", choices=NAMES, metavar="workload", help=", ".join(NAMES))
    parser.add_argument("--times", type=int, default=3, help="pairs to measure (3)")
    asked = parser.parse_args(arguments)
    pairs = []
    with (
        tempfile.TemporaryDirectory(prefix="switchyard-pairs-") as folder,
        checked_out(asked.before, Path(folder, "before")) as old,
        checked_out(asked.after, Path(folder, "after")) as new,
    ):
        for number in range(asked.times):
            print(f"pair {number + 1} of {asked.times}", file=sys.stderr, flush=True)
            order = (old, new) if number % 2 == 0 else (new, old)
            rows = {tree: measured(tree, asked.workloads) for tree in order}
            pairs.append((rows[old], rows[new]))
    for each in compared(pairs):
        print(json.dumps(each), flush=True)
    return 0


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Give a folder with the files of a commit; it is gone afterwards."""
    git = ("git", "-C", str(ROOT), "worktree")
    made = subprocess.run((*git, "add", "--detach", str(folder), commit), capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"{commit} cannot be checked out: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run((*git, "remove", "--force", str(folder)), check=True)


def measured(tree: Path, workloads: Sequence[str]) -> list[Row]:
    """Run workloads with the code of a folder, and return their rows."""
    command = (sys.executable, "-m", "bench", *workloads)
    env = os.environ | {"PYTHONPATH": str(tree)}
    # The status only says whether all targets were met.
    ran = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.PIPE, text=True, check=False)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def compared(pairs: Sequence[tuple[Sequence[Row], Sequence[Row]]]) -> Iterator[dict[str, Any]]:
    """Yield the rates and ratios of each row that both commits gave, over all pairs, given as rows before and after."""
    rates = defaultdict[tuple[str, int | None, int], list[tuple[float, float]]](list)
    for before, after in pairs:
        old, new = _numbered(before), _numbered(after)
        for key in old.keys() & new.keys():
            rates[key].append((old[key], new[key]))
    for (workload, agents, number), found in sorted(rates.items(), key=lambda item: (NAMES.index(item[0][0]), str(item[0]))):
        ratios = sorted(round(new / old, 3) for old, new in found)
        yield {
            "workload": workload,
            "agents": agents,
            "row": number,
            "before": [old for old, _ in found],
            "after": [new for _, new in found],
            "ratios": ratios,
            "median": round(median(ratios), 3),
        }


def _numbered(rows: Sequence[Row]) -> dict[tuple[str, int | None, int], float]:
    """Return the rates of rows by workload, number of agents, and place among the rows of these."""
    places, found = defaultdict[tuple[str, int | None], int](int), {}
    for row in rows:
        alike = row["workload"], row["agents"]
        if "per_s" in row:
            found[*alike, places[alike]] = row["per_s"]
        places[alike] += 1
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
