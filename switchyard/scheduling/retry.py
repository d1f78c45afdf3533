"""Whether a task that failed is attempted again, and when.

Decides from the job's rule and the failure alone. Losses are counted elsewhere; nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The agent uses ExitClass and must not load the schema library.
    from switchyard.scheduling.spec.types import Backoff, RetryOn, RetryRule


class ExitClass(StrEnum):
    """Why an attempt ended without success."""

    USER_ERROR = "user_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    LOST = "lost"
    UNLOADABLE = "unloadable"
    ENVIRONMENT = "environment"
    #: No failure: its job was suspended, and the task waits again.
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended: its class, a command's exit code (-9: killed by signal 9), an exception.

    `exceptions` holds the full names of the exception's class and of its bases, such as "builtins.OSError".
    """

    exit_class: ExitClass
    exit_code: int | None = None
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempt the task again, `delay` seconds from now at the earliest."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave the task FAILED, for this reason."""

    reason: str


def decide(rule: RetryRule, failure: Failure, *, failures: int, task: int, seed: int) -> Retry | GiveUp:
    """Decide about a task whose attempt ended as `failure`.

    `failures` counts the attempts that started and failed, this one included and losses left out; `seed` is
    the job's own and `task` tells its tasks apart. The same arguments always give the same answer.
    """
    if failure.exit_class is ExitClass.LOST:
        return Retry(0.0)
    if failure.exit_class is ExitClass.UNLOADABLE:
        return GiveUp("the callable cannot be loaded, which another attempt would not change")
    if failure.exit_class is ExitClass.ENVIRONMENT:
        return GiveUp("its environment cannot be built, which another attempt would not change")
    if rule.on is not None and not _is_named(rule.on, failure):
        return GiveUp("the retry rule does not name this failure")
    if failures >= rule.attempts:
        return GiveUp(f"{failures} of {rule.attempts} attempts failed")
    return Retry(_delay(rule.backoff, failures, share=_share(seed, task, failures)))


def _is_named(on: RetryOn, failure: Failure) -> bool:
    if failure.exit_code is not None and failure.exit_code in on.exit_codes:
        return True
    return any(f".{name}".endswith(f".{wanted}") for wanted in on.exceptions for name in failure.exceptions)


def _delay(backoff: Backoff, failures: int, *, share: float) -> float:
    try:
        grown = backoff.initial * backoff.factor ** (failures - 1)
    except OverflowError:
        grown = backoff.max
    return min(grown, backoff.max) * (1 + backoff.jitter * (2 * share - 1))


def _share(seed: int, task: int, failures: int) -> float:
    """Return a number in [0, 1) that looks random and is the same on every machine."""
    digest = blake2b(f"{seed}:{task}:{failures}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
