"""Storing: an artifact's row first, then its bytes."""

import secrets
from collections import deque
from collections.abc import Iterable
from functools import cache, partial

from django.conf import settings

from artifacts import folder, references
from artifacts.storage import storage
from artifacts.uploads import Uploads


@cache
def uploads() -> Uploads:
    """Return the uploads of this installation: beside the artifacts of a folder, so that they become these by a rename."""
    return Uploads(settings.DATA_DIR / folder.NAME / "uploads", settings.LARGEST_ARTIFACT)


def store(digest: str, pieces: Iterable[bytes], *, sender: str = "", offset: int = 0) -> bool:
    """Store an artifact unless it is stored already, and say which; raises Gap, WrongDigest, TooManyBytes.

    It stays for a day; who refers to it until then keeps it. Nobody looks for it before the row is touched: a collection
    that is about to delete it is over then (artifacts.collection). A sender whose upload breaks off may go on with it.
    """
    references.touch(digest)
    if storage().has(digest):
        deque(pieces, maxlen=0)
        return False
    name = sender or secrets.token_hex(8)
    try:
        uploads().receive(digest, name, offset, pieces, partial(storage().take, digest))
    finally:
        if not sender:
            uploads().drop(digest, name)
    return True


def received(digest: str, sender: str) -> int:
    """Return how many bytes have come of an upload that broke off."""
    return uploads().size(digest, sender)


def keep(digest: str) -> bool:
    """Say whether an artifact is stored, which then stays for another day."""
    if not storage().has(digest):
        return False
    references.touch(digest)
    return storage().has(digest)
