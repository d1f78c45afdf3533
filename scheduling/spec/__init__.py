"""Job descriptions: what a user may ask for, checked once and then trusted."""

from scheduling.spec.types import (
    Backoff,
    Constraint,
    Exchange,
    ForeachFrom,
    JobSpec,
    Need,
    Op,
    RetryOn,
    RetryRule,
    StageSpec,
    Timeouts,
    TypeRef,
)

__all__ = [
    "Backoff",
    "Constraint",
    "Exchange",
    "ForeachFrom",
    "JobSpec",
    "Need",
    "Op",
    "RetryOn",
    "RetryRule",
    "StageSpec",
    "Timeouts",
    "TypeRef",
]
