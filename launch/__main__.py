"""The command `python -m launch`: reads arguments and the environment, calls one function, explains errors.

Decides nothing (see up, services).
"""

import argparse
import sys
from pathlib import Path

from launch import services
from launch.errors import LaunchError


def main() -> int:
    """Run one verb and give its exit status."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except LaunchError as error:
        print(f"launch: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m launch", description="Start and stop Switchyard.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    beside = verbs.add_parser("services", help="run PostgreSQL and Redis alone, or beside a command")
    beside.add_argument("--data", type=Path, required=True, help="folder for their data")
    beside.add_argument("command", nargs="*", help="-- command and its arguments")
    beside.set_defaults(run=lambda given: services.run(given.data, given.command))
    return parser


if __name__ == "__main__":
    sys.exit(main())
