"""The class of an error, from its text. Pure."""

import re
from collections.abc import Sequence

#: The name of an error of which no class is known.
UNNAMED = "JobExecutionException"
_HEADER = re.compile(r"(?:.* failed: )?Traceback \(most recent call last\):")
#: A class by its name, alone or before its message; also after "task 0 of stage a failed: ".
_NAMED = re.compile(r"(?:^|.* failed: )((?:[^\W\d]\w*\.)*[^\W\d]\w*)(?::|$)")


def class_of(error: str) -> str:
    """Return the class of an error; UNNAMED if the text names none."""
    return described(error)[0]


def described(error: str) -> tuple[str, str]:
    """Return the class of an error and what the text says after it; UNNAMED and the whole text if it names none."""
    lines = error.strip().splitlines()
    at = _named_in(lines)
    found = _NAMED.match(lines[at]) if at is not None else None
    if at is None or found is None:
        return UNNAMED, error.strip()
    return found[1], "\n".join([lines[at][found.end() :], *lines[at + 1 :]]).strip()


def _named_in(lines: Sequence[str]) -> int | None:
    """Return which line may have the class: after a traceback the first that is no frame, else the last one."""
    start = max((n for n, line in enumerate(lines) if _HEADER.fullmatch(line)), default=None)
    if start is not None:
        # Frames are indented. The first line that is not has the class; a message may have more lines.
        return next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), None)
    found = _NAMED.match(lines[-1]) if lines else None
    # Without a traceback a word before a colon may be anything: a program, a file.
    return len(lines) - 1 if found and found[1].rpartition(".")[2][:1].isupper() else None
