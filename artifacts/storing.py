"""Storing: an artifact's row first, then its file."""

from collections import deque
from collections.abc import Iterable

from artifacts import references
from artifacts.storage import storage


def store(digest: str, chunks: Iterable[bytes]) -> bool:
    """Store an artifact unless it is stored already, and say which; raises WrongDigest or TooManyBytes.

    It stays for a day; who refers to it until then keeps it. Nobody looks for the file before the row is touched: a
    collection that is about to delete it is over then (artifacts.collection).
    """
    references.touch(digest)
    if storage().has(digest):
        deque(chunks, maxlen=0)
        return False
    storage().write(digest, chunks)
    return True


def keep(digest: str) -> bool:
    """Say whether an artifact is stored, which then stays for another day."""
    if not storage().has(digest):
        return False
    references.touch(digest)
    return storage().has(digest)
