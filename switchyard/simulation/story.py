"""The story of a run: one line an event. The last lines explain a failure, and the digest of all of them tells runs apart."""

from collections import deque
from hashlib import blake2b

from switchyard.messaging.messages import Command, Report
from switchyard.simulation.timeline import Timeline

#: Lines that are kept.
KEPT = 80


class Story:
    """What happened, in order."""

    def __init__(self, timeline: Timeline, kept: int = KEPT) -> None:
        self.events = 0
        self._timeline = timeline
        self._lines: deque[str] = deque(maxlen=kept)
        self._digest = blake2b(digest_size=16)

    def note(self, who: str, what: str) -> None:
        """Add a line about a process."""
        line = f"{self._timeline.now:12.6f}  {who:<9} {what}"
        self.events += 1
        self._lines.append(line)
        self._digest.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """A digest of all lines: equal digests mean equal runs."""
        return self._digest.hexdigest()

    def last(self, lines: int | None = None) -> list[str]:
        """Return the last lines, all that are kept by default."""
        kept = list(self._lines)
        return kept if lines is None else kept[-lines:]


def is_telling(command: Command) -> bool:
    """Return whether a command says more than what has arrived."""
    return bool(command.launches or command.cancels or command.recalls or command.pause)


def command(command: Command) -> str:
    """Return a command in a line."""
    parts = [f"command {command.number >> 32}:{command.number & 0xFFFFFFFF}"]
    parts += [f"launch {each.entry}: {each.stage}{each.ranges} attempt {each.attempt}" for each in command.launches]
    parts += [f"recall {stage}{ranges} attempt {attempt}" for stage, attempt, ranges in command.recalls]
    parts += [f"cancel {stage}{ranges} attempt {attempt}" for stage, attempt, ranges, *_ in command.cancels]
    parts += [f"pause {command.pause}"] if command.pause else []
    return ", ".join([*parts, f"reports up to {command.acknowledged}"])


def report(report: Report) -> str:
    """Return a report in a line."""
    parts = [f"report {report.number}"]
    parts += [f"finished {each.stage}{each.indexes} attempt {each.attempt}" for each in report.finished]
    parts += [f"{end.outcome} {end.stage}[{end.index}] attempt {end.attempt}" for end in report.others]
    parts += [f"started {each.stage}{each.indexes} attempt {each.attempt}" for each in report.starts]
    parts += [f"returned {each.stage}{each.ranges} attempt {each.attempt}" for each in report.returns]
    return ", ".join(parts)
