"""The class of an error, as it stands in the text of the error. Pure."""

import re

#: The name of an error of which no class is known.
UNNAMED = "JobExecutionException"
_HEADER = re.compile(r"(?:.* failed: )?Traceback \(most recent call last\):")
#: A class by its name, alone or before its message; also after "task 0 of stage a failed: ".
_NAMED = re.compile(r"(?:^|.* failed: )((?:[^\W\d]\w*\.)*[^\W\d]\w*)(?::|$)")


def class_of(error: str) -> str:
    """Return the class of an error; UNNAMED if the text names none."""
    lines = error.rstrip().splitlines()
    start = max((n for n, line in enumerate(lines) if _HEADER.fullmatch(line)), default=None)
    if start is not None:
        # Frames are indented. The first line that is not has the class; a message may have more lines.
        return _name(next((line for line in lines[start + 1 :] if not line.startswith(" ")), ""))
    found = _name(lines[-1] if lines else "")
    # Without a traceback a word before a colon may be anything: a program, a file.
    return found if found.rpartition(".")[2][:1].isupper() else UNNAMED


def _name(line: str) -> str:
    found = _NAMED.match(line)
    return found[1] if found else UNNAMED
