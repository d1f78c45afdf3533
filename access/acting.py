"""Acting: the server goes on with what somebody has asked for, as that person, if they still may."""

from django.conf import settings
from django.contrib.auth.models import User

from access import opening
from access.identifying import Identity
from access.roles import Role, role_of
from switchyard.scheduling.errors import SwitchyardError


class NoLongerAllowed(SwitchyardError):
    """Who asked for this may not do it any more."""


def identity_of(user: int | None, needed: Role) -> Identity:
    """Return the user as whom the server acts; raises NoLongerAllowed."""
    found = None if user is None else User.objects.filter(id=user, is_active=True).first()
    if found is None:
        raise NoLongerAllowed
    role = _opened() if found.username == opening.LOCAL_USER else role_of(found)
    if role is None or not role.includes(needed):
        raise NoLongerAllowed
    return Identity(found, role, "operation")


def _opened() -> Role | None:
    opened = settings.SWITCHYARD_OPEN_ON_LOOPBACK
    return Role(opened) if opened in opening.OPENABLE else None
