"""Tokens: draw them, find them by their digest, note their use. A token is shown once and never stored."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from access.models import Token
from access.roles import Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "sy_"
LONGEST = 200
#: A use is noted at most this often, so that reading costs no write.
USE_NOTED_EVERY = timedelta(minutes=1)


def create(name: str, *, role: Role, owner: "User | None" = None, expires_at: datetime | None = None) -> tuple[Token, str]:
    """Store a new token and return its row and, for the only time, the token itself."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(name=name, role=role, owner=owner, digest=digest(secret), expires_at=expires_at)
    return token, secret


def find(secret: str) -> Token | None:
    """Return the token with its owner, or None if it is unknown, expired, or its owner is not active."""
    if len(secret) > LONGEST:
        return None
    now = timezone.now()
    token = Token.objects.select_related("owner").filter(digest=digest(secret)).first()
    if token is None or (token.expires_at and token.expires_at <= now):
        return None
    if token.owner and not token.owner.is_active:
        return None
    _note_use(token, now)
    return token


def digest(secret: str) -> str:
    """Return what is stored of a token; it is random and long, so one round of hashing is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _note_use(token: Token, now: datetime) -> None:
    if token.last_used_at and now - token.last_used_at < USE_NOTED_EVERY:
        return
    unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    Token.objects.filter(unnoted, id=token.id).update(last_used_at=now)
