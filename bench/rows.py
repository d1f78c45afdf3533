"""Rows: what a workload measured, beside its reference and its target, as one line of JSON."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

#: How many of the unit, in which the name of a figure ends, are a second.
UNITS = {"seconds": 1, "ms": 1000}
_RULES = {"at least": operator.ge, "at most": operator.le}
SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure.

    Of a time, `as_ratio` bounds its ratio to the time that the reference takes for one: machines differ in speed.
    """

    figure: str
    rule: str
    bound: float
    as_ratio: bool = False

    @property
    def bounded(self) -> str:
        """The figure that the bound is for."""
        return f"{self.figure}_ratio" if self.as_ratio else self.figure

    def ratios(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Return the ratio that is bounded, by its name; nothing if none is, or one of both times is not known."""
        value, reference = row.get(self.figure), row["reference"]
        if not self.as_ratio or value is None or not reference:
            return {}
        return {self.bounded: round(value * reference / UNITS[self.figure.rpartition("_")[2]], 3)}

    def is_met(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row's figure keeps the bound; a figure that is not there does not."""
        value = row.get(self.bounded)
        return value is not None and _RULES[self.rule](value, self.bound)

    def __str__(self) -> str:
        return f"{self.bounded} {self.rule} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one workload found: so many of something in so many seconds, more figures, and what was wrong.

    `reference` is how many a second something else does, for workloads that bring their own comparison.
    """

    n: int
    seconds: float
    targets: Sequence[Target]
    figures: Mapping[str, float | str] = field(default_factory=dict)
    problems: Sequence[str] = ()
    reference: float | None = None

    @property
    def per_s(self) -> float:
        """How many of them a second."""
        return self.n / self.seconds

    def adding(self, figures: Mapping[str, float | str], *targets: Target) -> "Measured":
        """Return the same with more figures, and bounds on them."""
        return replace(self, figures={**self.figures, **figures}, targets=(*self.targets, *targets))


def row(
    workload: str, measured: Measured, *, agents: int | None, reference: float | None, dead_rows: int | None
) -> dict[str, Any]:
    """Make the row of a workload; `reference` is how many a second raw Celery does."""
    reference = measured.reference or reference
    made: dict[str, Any] = {
        "workload": workload,
        "agents": agents,
        "n": measured.n,
        "seconds": round(measured.seconds, 4),
        "per_s": round(measured.per_s, 1),
        "reference": reference and round(reference, 1),
        "ratio": reference and round(measured.per_s / reference, 2),
        "dead_rows": dead_rows,
        **measured.figures,
    }
    for target in measured.targets:
        made |= target.ratios(made)
    made["target"] = ", ".join(map(str, measured.targets))
    made["met"] = not measured.problems and all(target.is_met(made) for target in measured.targets)
    if measured.problems:
        made["problems"] = [*measured.problems[:SHOWN_PROBLEMS], f"{len(measured.problems)} in all"]
    return made


def unavailable(workload: str, *, agents: int | None, reason: str) -> dict[str, Any]:
    """Make the row of a workload that could not be measured."""
    return {"workload": workload, "agents": agents, "not_available": reason, "met": False}
