"""Rows: what a workload measured, beside its reference and its target, as one line of JSON."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

_RULES = {"at least": operator.ge, "at most": operator.le}
SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure."""

    figure: str
    rule: str
    bound: float

    def is_met(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row's figure keeps the bound; a figure that is not there does not."""
        value = row.get(self.figure)
        return value is not None and _RULES[self.rule](value, self.bound)

    def __str__(self) -> str:
        return f"{self.figure} {self.rule} {self.bound:g}"


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
        "target": ", ".join(map(str, measured.targets)),
    }
    made["met"] = not measured.problems and all(target.is_met(made) for target in measured.targets)
    if measured.problems:
        made["problems"] = [*measured.problems[:SHOWN_PROBLEMS], f"{len(measured.problems)} in all"]
    return made


def unavailable(workload: str, *, agents: int | None, reason: str) -> dict[str, Any]:
    """Make the row of a workload that could not be measured."""
    return {"workload": workload, "agents": agents, "not_available": reason, "met": False}
