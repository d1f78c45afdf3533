"""From requests of Ballista's clients to plain values. Pure."""

import re
from enum import StrEnum

from wires.reading import Unreadable

_STAGE = re.compile(r"[0-9]{1,20}")
#: Stages are numbered by unsigned 64-bit numbers.
LARGEST_STAGE = 2**64 - 1


class PlanFormat(StrEnum):
    """How a plan is written: by indents, as a tree, or by indents with what was measured."""

    DEFAULT = "default"
    TREE = "tree"
    METRICS = "metrics"


def plan_format(given: str | None) -> PlanFormat:
    """Return the format that a query asks for."""
    try:
        return PlanFormat(PlanFormat.DEFAULT if given is None else given)
    except ValueError as error:
        known = ", ".join(f"`{each}`" for each in PlanFormat)
        raise Unreadable(
            f"Failed to deserialize query string: plan_format: unknown variant `{given}`, expected one of {known}"
        ) from error


def stage_number(given: str) -> int:
    """Return the number of a stage, from 1, that a path names."""
    if not _STAGE.fullmatch(given) or int(given) > LARGEST_STAGE:
        raise Unreadable(f"Invalid URL: Cannot parse `stage_id` with value `{given}` to a `usize`")
    return int(given)
