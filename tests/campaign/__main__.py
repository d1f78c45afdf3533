"""The campaign: real faults on real processes with work in flight, again and again. Bounded in time, on the loopback alone.

    python -m tests.campaign --runs 20 --agents 2 --agents 4
    python -m tests.campaign --runs 1 --fault redis_full

It looks at every invariant afterwards, at what tasks themselves wrote, and at each value that they were handed.
"""

import subprocess
import sys
from typing import Annotated

import typer

from tests.campaign import faults


def main(
    runs: Annotated[int, typer.Option(help="Runs of each fault.")] = 1,
    agents: Annotated[list[int] | None, typer.Option(help="Numbers of agents; repeatable.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(faults.FAULTS)}; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of the first run; each next run has the next one.")] = 1,
) -> None:
    """Run the campaign; exit with 1 if anything was wrong."""
    failed = False
    for name in fault or faults.FAULTS:
        if why := faults.impossible(name):
            typer.echo(f"{name:22} skipped: {why}")
            continue
        for count in agents or [2, 4]:
            argv = [sys.executable, "-m", "tests.campaign.series", name, str(count), str(runs), str(seed)]
            failed |= subprocess.run(argv, check=False).returncode != 0
    raise typer.Exit(int(failed))


if __name__ == "__main__":
    typer.run(main)
