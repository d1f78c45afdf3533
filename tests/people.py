"""People for tests: users in a role, and the headers of programs that act for them."""

from django.contrib.auth.models import User

from access import tokens
from access.identifying import Identity
from access.roles import Role, grant

PASSWORD = "correct horse battery"
#: People who have no rows, and whose jobs no quota counts.
ANN, ADA = (Identity(User(username=name), Role.OPERATOR, "token") for name in ("ann", "ada"))


def user_in(role: Role | None) -> User:
    """Return the user who has this role, or none; made at the first call."""
    user, new = User.objects.get_or_create(username=role.value if role else "nobody")
    if new and role:
        grant(user, role)
    return user


def with_password(role: Role) -> User:
    """Return the user who has this role and PASSWORD; slow, since passwords are hashed slowly."""
    user = user_in(role)
    user.set_password(PASSWORD)
    user.save()
    return user


def token_of(role: Role, *, cap: Role | None = None) -> str:
    """Return a new token of a user in this role, or of an agent."""
    owner = None if role is Role.AGENT else user_in(role)
    return tokens.create("test", role=cap or role, owner=owner)[1]


def as_(role: Role) -> dict[str, str]:
    """Return the headers of a request that carries a token of this role."""
    return {"Authorization": f"Bearer {token_of(role)}"}
