"""Tasks that say what they were given, in few bytes; jobs bring this file along."""

import hashlib
import json
from typing import Any


def digest(*args: Any, **kwargs: Any) -> str:
    """Return a digest of the arguments."""
    return hashlib.sha256(json.dumps([args, kwargs]).encode()).hexdigest()


def length(*args: Any, **kwargs: Any) -> int:
    """Return the length of all arguments together."""
    return sum(map(len, [*args, *kwargs.values()]))
