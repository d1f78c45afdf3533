"""Rounds: how long the scheduler's rounds took, as its log tells at the level DEBUG."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import quantiles

from bench.installation import Installation

EVENT = "round"
#: What a scheduler is given that is to tell of its rounds.
TOLD_OF = {"scheduler": {"SWITCHYARD_LOG_LEVEL": "DEBUG"}}


@dataclass(frozen=True, slots=True)
class Round:
    """One round: when it ended, how long it took, and how many assignments it made."""

    at: datetime
    seconds: float
    assignments: int


def of(installation: Installation, since: datetime, until: datetime) -> list[Round]:
    """Return the rounds of a time."""
    return [each for each in _read(installation.logs / "scheduler.log") if since <= each.at <= until]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not exceed; of a single one, that one."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def _read(log: Path) -> Iterator[Round]:
    for line in log.read_text().splitlines():
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("event") == EVENT:
            yield Round(datetime.fromisoformat(told["timestamp"]), told["seconds"], told["assignments"])
