"""Outcomes of builds of environments: what went wrong, in the installer's own words, and what that means for tasks."""

import re
from dataclasses import dataclass
from typing import Any

from switchyard.scheduling.retry import ExitClass

#: Seconds that a build may take.
LONGEST = 3600.0
#: Characters of an installer's words that an error repeats, and of those that say why a node is avoided.
SHOWN, BRIEF = 4_000, 300

#: What no other node would change: there is no such package, or packages exclude each other.
_HOPELESS = re.compile(
    r"No matching distribution found|conflicting dependencies|ResolutionImpossible|DO NOT MATCH THE HASHES"
    r"|Hashes are required|No solution found when resolving|was not found in the package registry|Hash mismatch"
)
#: What makes such words unsure: the package index was not reached.
_UNREACHED = re.compile(
    r"Retrying \(|NewConnectionError|Failed to establish|name resolution|Connection refused|Connection reset|timed out"
    r"|error sending request|Failed to fetch|dns error|ProxyError|SSLError|certificate|network connectivity is disabled",
    re.IGNORECASE,
)
#: With what an installer's last words begin: pip's, uv's.
_ERROR = re.compile(r"^(ERROR:|error:|  ?× )", re.MULTILINE)
_NOTICE = re.compile(r"^\[notice\].*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Built:
    """A whole environment: its folder, its size in bytes, and the file with what its build wrote."""

    home: str
    size: int
    log: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed build: the last of what it wrote.

    `unsuited` says that the node lacks what any build needs, such as the version of Python; `fault` what of the node failed,
    such as a full disk; `killed` that the build was ended by somebody else.
    """

    said: str
    log: str = ""
    unsuited: bool = False
    fault: str = ""
    killed: bool = False


Outcome = Built | Failed


def verdict(failed: Failed) -> dict[str, Any]:
    """Return how a task ends whose environment could not be built.

    `fault` makes the node run nothing for a while, `unfit` has the stage's tasks placed on other nodes; without both, they
    would fare no better elsewhere.
    """
    if failed.fault:
        return _end(ExitClass.LOST, f"the node could not run the task: {failed.fault}", fault=failed.fault)
    if failed.killed:
        return _end(ExitClass.LOST, "the node could not run the task: the build of its environment was killed")
    words = last_words(failed.said)
    error = f"its environment cannot be built: {words}"
    if not failed.unsuited and _HOPELESS.search(words) and not _UNREACHED.search(failed.said):
        return _end(ExitClass.ENVIRONMENT, error)
    return _end(ExitClass.ENVIRONMENT, error, unfit=f"its environment cannot be built there: {_brief(words)}")


def timed_out() -> Failed:
    """Return what has become of a build that took too long."""
    return Failed(f"it took longer than {LONGEST / 60:.0f} minutes")


def last_words(said: str) -> str:
    """Return the part of what an installer wrote that says why it failed."""
    text = _NOTICE.sub("", said)
    found = _ERROR.search(text)
    words = text[found.start() :].strip() if found else "\n".join(text.strip().splitlines()[-10:])
    return words if len(words) <= SHOWN else f"…{words[-SHOWN:]}"


def _end(exit_class: ExitClass, error: str, *, unfit: str = "", fault: str = "") -> dict[str, Any]:
    return {"class": exit_class.value, "error": error, "unfit": unfit, "fault": fault}


def _brief(words: str) -> str:
    """Return the plainest part of an error: the last line of pip, what uv says without its hints."""
    lines = [line.strip() for line in words.splitlines() if line.strip() and not line.strip().startswith("hint:")]
    line = " ".join(lines) if not words.startswith("ERROR:") else lines[-1]
    return line if len(line) <= BRIEF else f"{line[:BRIEF]}…"
