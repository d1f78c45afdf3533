"""Make a checked job description of a file, or of what a program built.

How large a description may be is for the server to say; only what cannot be right anywhere is refused here.
"""

import sys
from pathlib import Path
from typing import Any

from switchyard.errors import Unpackable
from switchyard.packing import pack
from switchyard.scheduling.spec import Limits, from_data
from switchyard.scheduling.spec.reading import read

STDIN = "-"
_MANY = sys.maxsize
_BOUNDLESS = Limits(_MANY, _MANY, _MANY, _MANY, _MANY, _MANY, _MANY, _MANY, _MANY)


def described(file: str) -> dict[str, Any]:
    """Read a job description, YAML or JSON, from a file or standard input ("-"), with its files packed.

    Raises Unpackable, or InvalidSpec with what is wrong.
    """
    text, folder = _text(file)
    return checked(pack(read(text, None, _BOUNDLESS), folder))


def checked(data: object) -> dict[str, Any]:
    """Return a description as it is if it is valid, or raise InvalidSpec."""
    from_data(data, limits=_BOUNDLESS)
    assert isinstance(data, dict), "a valid description is an object"
    return data


def _text(file: str) -> tuple[bytes, Path]:
    if file == STDIN:
        return sys.stdin.buffer.read(), Path.cwd()
    try:
        return Path(file).read_bytes(), Path(file).parent
    except OSError as error:
        raise Unpackable(f"{file} cannot be read: {error.strerror}") from error
