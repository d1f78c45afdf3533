"""How large a job description may be; every server sets these, and each refusal names the one that it met."""

from __future__ import annotations

from dataclasses import dataclass

from switchyard.scheduling.errors import Fault

DEPTH = 32
MEMBERS = 1_000
ITEMS = 10_000
DIGITS = 4_300


@dataclass(frozen=True, slots=True)
class Limits:
    """The settable limits. YAML has its own two, since reading it costs ten times as much as JSON."""

    bytes: int = 8 * 1024 * 1024
    yaml_bytes: int = 1024 * 1024
    nodes: int = 1_000_000
    yaml_nodes: int = 100_000
    stages: int = 10_000
    edges: int = 100_000
    tasks: int = 1_000_000
    name_length: int = 200
    files_bytes: int = 1024 * 1024


def over(path: str, what: str, limit: str, limits: Limits) -> Fault:
    """Return the fault of having more of `what` than the limit of that name allows."""
    return Fault(path, f"has {what}; at most {getattr(limits, limit):,} are allowed (limit '{limit}')")
