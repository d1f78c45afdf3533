"""Results: what a task returned as JSON text that the server can keep, or a clear reason why it cannot. Runs in workers."""

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

#: Bytes up to which a result travels in a report; more goes by a file, and over HTTP.
INLINE = 8 * 1024
LIMIT = 64 << 20
_encode = json.JSONEncoder(allow_nan=False).encode
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class BadResult(Exception):
    """What the task gave as its result cannot be kept."""


def encode(value: Any) -> str:
    """Return the JSON text of a result; raise BadResult naming what is wrong with it."""
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadResult(f"the result is no JSON value: {error}") from None
    if "\\ud" in text or "\\u0000" in text:
        _check_characters(value, text)
    if len(text) > LIMIT:
        raise BadResult(f"the result takes {len(text):,} bytes as JSON; up to {LIMIT:,} are kept")
    return text


def store(text: str, folder: Path) -> dict[str, Any]:
    """Write a result that is too long for a report into a file of its own, and say which."""
    data = text.encode("ascii")
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{digest}-{secrets.token_hex(4)}"
    try:
        path.write_bytes(data)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return {"result_digest": digest, "file": str(path)}


def _check_characters(value: Any, text: str) -> None:
    if _NUL.search(text):
        raise BadResult("the result holds a NUL character, which text may not")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadResult("the result holds half of a surrogate pair, which is no character") from None
