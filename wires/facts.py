"""Facts that agents report of their machines, which may be anything, as valid plain values. Pure."""

from collections.abc import Mapping
from typing import Any

MIB = 1024 * 1024
#: Clients read numbers into 64 bits, whatever an agent tells.
LARGEST = 2**63 - 1
#: Of what is counted one by one, into 32.
MOST = 2**32 - 1


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object, empty if something else was told."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return a text, empty if something else was told."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int:
    """Return a number that is not negative, 0 if something else was told."""
    return int(min(value, LARGEST)) if isinstance(value, int | float) and value >= 0 else 0


def count(value: object) -> int:
    """Return how many there are of something, 0 if something else was told."""
    return min(number(value), MOST)


def size(mib: object) -> int:
    """Return MiB as bytes."""
    return min(number(mib) * MIB, LARGEST)
