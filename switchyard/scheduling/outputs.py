"""Outputs of stages: paths and patterns of files below the working folder of a task. Needs nothing but Python."""

#: Characters of a path of such a file, and files of one task.
LONGEST_PATH, MOST_FILES = 500, 1_000
#: Characters of a path that make it a pattern.
WILD = frozenset("*?[")


def is_pattern(path: str) -> bool:
    return not WILD.isdisjoint(path)


def fixed(pattern: str) -> str:
    """Return the folder in which all is that a pattern matches; consumers find files by their paths below it."""
    parts = []
    for part in pattern.split("/")[:-1]:
        if is_pattern(part):
            break
        parts.append(part)
    return "/".join(parts)
