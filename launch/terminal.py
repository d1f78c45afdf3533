"""The terminal of a verb, which may close before the verb ends: `make up | head`."""

import os
import sys


def say(line: str, end: str = "\n") -> None:
    """Write a line; once nobody reads, write to nobody."""
    try:
        print(line, end=end, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
