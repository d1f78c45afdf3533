"""Roles: their order, and the role of a user. A role is a Django group of the same name."""

from enum import StrEnum
from typing import TYPE_CHECKING

from django.contrib.auth.models import Group

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Role(StrEnum):
    """Viewers read, operators also change, admins also manage people; an agent is none of these."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    AGENT = "agent"

    def includes(self, needed: "Role") -> bool:
        """Say whether this role may do what `needed` may."""
        if self is needed:
            return True
        return self in PEOPLE and needed in PEOPLE and PEOPLE.index(self) > PEOPLE.index(needed)


#: The roles of people, each including those before it.
PEOPLE = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)


def lower(one: Role, other: Role) -> Role:
    """Return the lower of two roles of people."""
    return min(one, other, key=PEOPLE.index)


def role_of(user: "User") -> Role | None:
    """Return the highest role among a user's groups; superusers are admins, anybody else has none."""
    if user.is_superuser:
        return Role.ADMIN
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(PEOPLE) if role in names), None)


def grant(user: "User", role: Role) -> None:
    """Give a user this role and no other."""
    user.groups.remove(*Group.objects.filter(name__in=PEOPLE))
    user.groups.add(Group.objects.get_or_create(name=role)[0])
