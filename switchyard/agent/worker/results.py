"""A task's result as JSON text that the server can keep, or the reason why it cannot. Runs in workers."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from switchyard.agent.machine import faults
from switchyard.agent.worker import misfits

#: Bytes up to which a result travels in a report; more goes by a file, and over HTTP.
INLINE = 8 * 1024
LIMIT = 64 << 20
NUL = "\0"
#: How values are written that most tasks return: an encoder takes five times as long to begin.
BRIEF: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
}
_WRITTEN_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class BadResult(Exception):
    """What the task gave as its result cannot be kept."""


def encode(value: Any, what: str = "result") -> str:
    """Return the JSON text of a result, or what else a task gives; raise BadResult naming what is wrong with it."""
    try:
        if brief := BRIEF.get(type(value)):
            return brief(value)
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadResult(f"the {what} is no JSON value: {misfits.find(value) or error}") from None
    if "\\ud" in text or "\\u0000" in text:
        _check_characters(value, text, what)
    if len(text) > LIMIT:
        raise BadResult(f"the {what} takes {len(text):,} bytes as JSON; up to {LIMIT:,} are kept")
    return text


def store(text: str, folder: Path) -> dict[str, Any]:
    """Write a result that is too long for a report into a file of its own, and say which."""
    data = text.encode("ascii")
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{digest}-{secrets.token_hex(4)}"
    try:
        with path.open("wb") as file:
            # The task may have changed the umask.
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno in faults.NO_SPACE:
            raise OSError(error.errno, f"a result of {len(data) >> 20:,} MB does not fit") from None
        raise
    return {"result_digest": digest, "file": str(path)}


def _number(value: Any) -> Any:
    """Return a scalar of numpy as Python's own value: called for what the encoder does not know."""
    if misfits.is_numpy_scalar(value):
        return value.item()
    raise TypeError


def _check_characters(value: Any, text: str, what: str) -> None:
    if _WRITTEN_NUL.search(text):
        raise BadResult(f"{misfits.find_text(value, NUL)} holds a NUL character, which text may not")
    try:
        _encode_as_read(value).encode()
    except UnicodeEncodeError:
        raise BadResult(f"the {what} holds half of a surrogate pair, which is no character") from None


_encode = json.JSONEncoder(allow_nan=False, default=_number).encode
_encode_as_read = json.JSONEncoder(ensure_ascii=False, default=_number).encode
