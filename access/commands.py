"""Commands: changes by people. Each runs in one transaction, which also writes its audit row (I13)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from django.db import transaction

from access import audit
from access.identifying import Identity

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a command returns, and what the audit says of it: to what it was done, and how. No target: nothing was changed."""

    result: T
    target: object = None
    details: Mapping[str, Any] = field(default_factory=dict)


def command(
    action: str,
) -> Callable[[Callable[Concatenate[Identity, P], Done[T]]], Callable[Concatenate[Identity, P], T]]:
    """Make a command of a function whose first argument is who asks; `action` is its name in the audit."""

    def decorate(change: Callable[Concatenate[Identity, P], Done[T]]) -> Callable[Concatenate[Identity, P], T]:
        @wraps(change)
        def commanded(by: Identity, /, *args: P.args, **kwargs: P.kwargs) -> T:
            with transaction.atomic():
                done = change(by, *args, **kwargs)
                if done.target is not None:
                    audit.record(by, action, done.target, **done.details)
            return done.result

        return commanded

    return decorate
