"""The command `python -m launch`: reads arguments and the environment, calls one function, explains errors.

Decides nothing (see up, start, services).
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch import beside, config, services, start, up
from launch.config import Config
from launch.errors import LaunchError

INTERRUPTED = 130


def main() -> int:
    """Run one verb and give its exit status."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except LaunchError as error:
        print(f"launch: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"launch: {error.filename}: {error.strerror}. DATA_DIR must be a folder that this user may write.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("launch: interrupted; make status says what runs, make down stops it", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m launch", description="Start and stop Switchyard.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add(verbs, "up", "start a stack, as PORT, DATA_DIR, AGENTS ... say", up.up)
    _add(verbs, "down", "stop the stack in DATA_DIR", up.down)
    _add(verbs, "status", "say what runs in DATA_DIR", up.status)
    _add(verbs, "demo", "start a stack and run an example on it", up.demo)
    _add(verbs, "supervise", "what `up` leaves behind (not for the terminal)", start.supervise)
    within = verbs.add_parser("run", help="run a command with the settings of the stack in DATA_DIR: manage.py, pg_dump ...")
    within.add_argument("command", nargs="+", help="-- command and its arguments")
    within.set_defaults(run=lambda given: beside.run(config.read(os.environ), given.command))
    alone = verbs.add_parser("services", help="run PostgreSQL and Redis alone, or beside a command")
    alone.add_argument("--data", type=Path, help="folder for their data (default: a passing one)")
    alone.add_argument("command", nargs="*", help="-- command and its arguments")
    alone.set_defaults(run=lambda given: services.run(given.data, given.command))
    return parser


def _add(verbs: Any, name: str, text: str, run: Callable[[Config], int]) -> None:
    verbs.add_parser(name, help=text).set_defaults(run=lambda _: run(config.read(os.environ)))


if __name__ == "__main__":
    sys.exit(main())
