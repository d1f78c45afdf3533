"""JSON of messages, and of what workers write. An agent spends a quarter of its time here.

By msgspec; what that does not take is left to Python's own module: half surrogate pairs, subclasses of text. All numbers
are finite.
"""

import json
from typing import Any

import msgspec


def encode(value: Any) -> str:
    """Return the JSON text of a value."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, TypeError):
        return json.dumps(value, separators=(",", ":"))


def decode(text: str | bytes) -> Any:
    """Return what a JSON text says; raise ValueError if it is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
