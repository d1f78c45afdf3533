"""Commands of admins on people and tokens, and of people on their own passwords; each writes its audit row."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.contrib.auth.models import User

from access import lockout, tokens
from access.commands import Done, command
from access.identifying import Identity
from access.models import Token
from access.roles import Role, grant, role_of

#: Saves what a form was filled in with.
Save = Callable[[], object]


@command("token.create")
def create_token(
    by: Identity, name: str, *, role: Role, owner: User | None, expires_at: datetime | None
) -> Done[tuple[Token, str]]:
    """Store a new token and return its row and, for the only time, the token itself."""
    token, secret = tokens.create(name, role=role, owner=owner, expires_at=expires_at)
    return Done((token, secret), token.id, {"name": token.name, "role": token.role})


@command("token.delete")
def delete_token(by: Identity, id_: int) -> Done[bool]:
    """Revoke a token: no request with it passes any more. Return whether there was one."""
    token = Token.objects.select_for_update().filter(id=id_).first()
    if token is None:
        return Done(False)
    token.delete()
    return Done(True, id_, {"name": token.name, "role": token.role})


@command("user.create")
def create_user(by: Identity, user: User, role: Role) -> Done[User]:
    """Store a user who may log in, in a role."""
    user.save()
    grant(user, role)
    return Done(user, user, {"role": role_of(user)})


@command("user.change")
def change_user(by: Identity, user: User, role: Role, changed: Sequence[str]) -> Done[User]:
    """Store what was changed of a user (`changed` names it), and the role."""
    # A superuser is an admin whatever the groups say.
    user.is_superuser = user.is_superuser and role is Role.ADMIN
    user.save()
    grant(user, role)
    return Done(user, user if changed else None, {"changed": changed, "role": role_of(user), "active": user.is_active})


@command("user.change")
def change_password(by: Identity, user: User, save: Save) -> Done[None]:
    """Store a user's new password."""
    save()
    return Done(None, user, {"changed": ["password"], "role": role_of(user), "active": user.is_active})


@command("user.change")
def change_own_password(by: Identity, save: Save) -> Done[None]:
    """Store the new password of who asks."""
    save()
    return Done(None, by.name, {"changed": ["password"]})


@command("user.let_in")
def let_in(by: Identity, user: User) -> Done[None]:
    """Begin to count a user's wrong passwords anew."""
    lockout.forget([user.username])
    return Done(None, user)
