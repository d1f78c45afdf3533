"""The wires, and the wire of a path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from access.guarding import Refusal
from access.identifying import CHALLENGE
from switchyard.scheduling.errors import SwitchyardError

_ANSWERED = "_switchyard_answered"


@dataclass(frozen=True, slots=True)
class Wire:
    """What all views of a wire share, made in its module `errors`; one that tells errors in two ways has two of them.

    `owns` matches the beginnings of its paths, `statuses` says with which status an error of ours is told, `error`
    makes the body (an empty detail: none is known) and `wrong_verb` answers a method that a route does not take. The wire
    with `root` also answers for paths that nothing owns.
    """

    name: str
    owns: re.Pattern[str]
    statuses: Mapping[type[SwitchyardError], int]
    error: Callable[[int, str], HttpResponse]
    wrong_verb: Callable[[], HttpResponse]
    root: bool = False

    def failed(self, error: SwitchyardError) -> HttpResponse:
        """Return the answer to a request that ended with an error of ours."""
        return self.error(self.status_of(type(error)), str(error))

    def status_of(self, kind: type[SwitchyardError]) -> int:
        """Return the status that stands for an error, or for the nearest class above that has one."""
        return next(self.statuses[base] for base in kind.__mro__ if base in self.statuses)

    def refused(self, refusal: Refusal) -> HttpResponse:
        """Return the answer to a request that is not let pass."""
        answer = self.error(refusal.status, refusal.detail)
        if refusal.status == 401:
            answer["WWW-Authenticate"] = CHALLENGE
        if refusal.seconds:
            answer["Retry-After"] = str(refusal.seconds)
        return answer


@cache
def wires() -> tuple[Wire, ...]:
    """Return the wires of this installation."""
    return tuple(wire for name in settings.WIRES for wire in _made_by(import_module(f"wires.{name}.errors")))


def _made_by(errors: ModuleType) -> tuple[Wire, ...]:
    return getattr(errors, "WIRES", None) or (errors.WIRE,)


def owner(path: str) -> Wire | None:
    """Return the wire that a path belongs to."""
    return next((wire for wire in wires() if wire.owns.match(path)), None)


def at_the_root() -> Wire | None:
    """Return the wire whose paths begin at the root, if it is spoken."""
    return next((wire for wire in wires() if wire.root), None)


def mark_answered(request: HttpRequest) -> None:
    """Note that a view of a wire has answered a request, in its own words."""
    setattr(request, _ANSWERED, True)


def is_answered(request: HttpRequest) -> bool:
    """Say whether a view of a wire has answered a request."""
    return hasattr(request, _ANSWERED)
