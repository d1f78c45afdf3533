"""Measure: `python -m bench [workload …]`. Rows of JSON on standard output, progress on standard error."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from bench import records, reference
from bench.client import Refused, Unfinished
from bench.host import Host, running
from bench.installation import installed
from bench.reference import Reference
from bench.rows import row, unavailable
from bench.workloads import ALONE, NAMES, ON_AN_INSTALLATION, Workload
from launch.errors import LaunchError

#: Seconds within which the database's processes have told what they count.
STATISTICS = 1.2
BEGUN = time.monotonic()


def main(names: Sequence[str]) -> int:
    """Run the named workloads, or all; the status says whether every target was met."""
    if unknown := [name for name in names if name not in NAMES]:
        _say(f"There is no workload {', '.join(unknown)}; there are {', '.join(NAMES)}.")
        return 2
    # Ends as Ctrl-C does: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    met = True
    for made in _rows(names or NAMES):
        print(json.dumps(made), flush=True)
        met = met and made["met"]
    return 0 if met else 1


def _rows(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in [name for name in names if name in ALONE]:
        _say(name)
        for measured in ALONE[name]():
            yield row(name, measured, agents=None, reference=None, dead_rows=None)
    if chosen := {name: ON_AN_INSTALLATION[name] for name in names if name in ON_AN_INSTALLATION}:
        yield from _rows_on_installations(chosen)


def _rows_on_installations(chosen: Mapping[str, Workload]) -> Iterator[dict[str, Any]]:
    _say("starting the servers")
    with running() as host:
        compared = _reference(host) if any(workload.reference for workload in chosen.values()) else None
        for name, workload in chosen.items():
            for agents, slots in workload.shapes:
                _say(f"{name}: {agents} agents, {slots} slots each")
                yield from _measured(host, name, workload, agents, slots, compared)


def _measured(
    host: Host, name: str, workload: Workload, agents: int, slots: int, compared: Reference | None
) -> Iterator[dict[str, Any]]:
    beside = workload.reference(compared) if workload.reference and compared else None
    try:
        with installed(host, agents=agents, slots=slots, given=workload.given) as installation:
            for measured in workload.measure(installation):
                dead = _dead_rows(installation.database_url)
                yield row(name, measured, agents=agents, reference=beside, dead_rows=dead)
    except (LaunchError, Unfinished, Refused) as error:
        yield unavailable(name, agents=agents, reason=str(error))


def _reference(host: Host) -> Reference:
    _say("raw Celery")
    return reference.measure(host)


def _dead_rows(database_url: str) -> int:
    time.sleep(STATISTICS)
    with psycopg.connect(database_url) as database:
        return records.dead_rows(database)


def _say(line: str) -> None:
    print(f"{time.monotonic() - BEGUN:6.1f} s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
