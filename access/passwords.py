"""Passwords: the only check of them, for Basic authentication and for the login page."""

from threading import Lock

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from access import lockout
from switchyard.scheduling.errors import SwitchyardError

#: Held while a password is hashed: many tries at once take one core of a process, and those that a lock-out meets
#: while they wait are not hashed at all.
_hashing = Lock()


class LockedOut(SwitchyardError):
    """Too many wrong passwords; `seconds` says when the next is looked at."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Too many wrong passwords. Try again in {-(-seconds // 60)} min.")


def check(request: HttpRequest, name: str, password: str) -> User | None:
    """Return the user whose password this is, or None; raises LockedOut after too many that were wrong.

    The account may be locked while a password is hashed, by others that another process tries at the same time. Then the
    answer is the same for a right and a wrong one, so that no more is learned by many tries at once than by one after the
    other.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    _require_unlocked(name, peer)
    with _hashing:
        return _checked(request, name, password, peer)


def _checked(request: HttpRequest, name: str, password: str, peer: str) -> User | None:
    _require_unlocked(name, peer)
    user = authenticate(request, username=name, password=password)
    if isinstance(user, User):
        _require_unlocked(name, peer)
        lockout.forget([name])
        return user
    if not lockout.note_failure(name, peer):
        _require_unlocked(name, peer)
    return None


def _require_unlocked(name: str, peer: str) -> None:
    if seconds := lockout.seconds_locked(name, peer):
        raise LockedOut(seconds)
