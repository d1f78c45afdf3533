"""The vocabulary of errors. The docstring of a class is its default message.

The domain raises them; each shell (HTTP, a wire, the command line) translates them by one table of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import NamedTuple

SHOWN_FAULTS = 50


class SwitchyardError(Exception):
    """Something went wrong in Switchyard."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))


class Fault(NamedTuple):
    """One thing wrong with a job description: where (`stages[2].needs[0]`, empty: the whole) and why."""

    path: str
    reason: str

    @property
    def sentence(self) -> str:
        """Return the fault on one line."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class InvalidSpec(SwitchyardError):
    """The job description is not valid; `faults` holds the first of what is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:SHOWN_FAULTS])
        more = ["and more"] if len(faults) > SHOWN_FAULTS else []
        super().__init__("; ".join([*(fault.sentence for fault in self.faults), *more]))


class TooLarge(SwitchyardError):
    """The job description is larger than this server accepts."""


class Cyclic(SwitchyardError):
    """The stages need each other in a circle."""

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        super().__init__(f"the stages need each other in a circle: {_arrows(self.cycle)}")


def _arrows(cycle: tuple[str, ...]) -> str:
    shown = cycle if len(cycle) <= 12 else (*cycle[:6], f"({len(cycle) - 7:,} more)", cycle[-1])
    return " → ".join(shown)
