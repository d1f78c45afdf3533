"""Run many seeds: `python -m switchyard.simulation --seeds 10000 --from 1`. Stop at the first that breaks an invariant."""

import argparse
import sys

from switchyard.simulation.runs import Run, run

#: Seeds between lines of progress.
PROGRESS = 500


def main() -> int:
    """Run seeds in order, and return 1 if one breaks an invariant."""
    parser = argparse.ArgumentParser(prog="python -m switchyard.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed")
    parser.add_argument("--story", action="store_true", help="print the story of each run")
    asked = parser.parse_args()
    steps = 0
    for done, seed in enumerate(range(asked.first, asked.first + asked.seeds), 1):
        ended = run(seed)
        steps += ended.events
        if asked.story or ended.broken:
            _print(ended)
        if ended.broken:
            return 1
        if done % PROGRESS == 0:
            print(f"{done:,} seeds, {steps:,} events, all invariants hold", flush=True)
    print(f"{asked.seeds:,} seeds from {asked.first:,}, {steps:,} events: all invariants hold")
    return 0


def _print(ended: Run) -> None:
    print("\n".join(ended.story))
    print(f"seed {ended.seed}, digest {ended.digest}: {ended.broken or 'all invariants hold'}")


if __name__ == "__main__":
    sys.exit(main())
