"""Passwords: the one place that looks at them, for Basic authentication and for the log-in page."""

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from access import lockout
from scheduling.errors import SwitchyardError


class LockedOut(SwitchyardError):
    """Too many wrong passwords; `seconds` says when the next is looked at."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Too many wrong passwords. Try again in {-(-seconds // 60)} min.")


def check(request: HttpRequest, name: str, password: str) -> User | None:
    """Return the user whose password this is, or None; raises LockedOut after too many that were wrong."""
    peer = request.META.get("REMOTE_ADDR", "")
    seconds = lockout.seconds_locked(name, peer)
    if seconds:
        raise LockedOut(seconds)
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        lockout.note_failure(name, peer)
        return None
    lockout.forget([name])
    return user
