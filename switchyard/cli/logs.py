"""The command `logs`: what a task wrote, byte by byte, while it runs or afterwards."""

import json
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from switchyard.answers import LogPart
from switchyard.cli.options import AsJson, Job
from switchyard.cli.outcome import client
from switchyard.client import Client, Stream

#: Takes each part of a log as it comes.
Writer = Callable[[LogPart], None]
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
StageName = Annotated[str | None, typer.Argument(metavar="[STAGE]", help="Stage; can be left out if it is clear.")]
Index = Annotated[int | None, typer.Argument(metavar="[INDEX]", help="Task of the stage (default: 0).", min=0)]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until the task ends.")]
Only = Annotated[str | None, typer.Option("--only", metavar="STREAM", help="stdout or stderr (default: both).")]
Attempt = Annotated[int | None, typer.Option(help="An earlier attempt, from 0 (default: the current one).", min=0)]
Tail = Annotated[int | None, typer.Option(help="Begin with the last so many lines.", min=1)]


def logs(
    ctx: typer.Context,
    job: Job,
    stage: StageName = None,
    index: Index = None,
    *,
    follow: Follow = False,
    only: Only = None,
    attempt: Attempt = None,
    tail: Tail = None,
    as_json: AsJson = False,
) -> None:
    """Write what a task wrote, each stream to the same one here. By default: the first task that failed, or the only one."""
    writer = _as_lines if as_json else _as_it_is
    streams = _streams(only)
    with client(ctx) as server:
        log = _Log(server, job, *_which(server, job, stage, index), attempt)
        _write([_Reading(log, stream, tail, writer(stream)) for stream in streams], follow=follow)


def _write(readings: list["_Reading"], *, follow: bool) -> None:
    """Write each stream as far as it goes, and if asked to, as it grows."""
    pause = FIRST_PAUSE
    while readings:
        moved = [reading.write() for reading in readings]
        readings = [each for each in readings if not each.is_over(follow=follow)]
        pause = FIRST_PAUSE if any(moved) else min(2 * pause, LONGEST_PAUSE)
        if readings and not any(moved):
            time.sleep(pause)


@dataclass(frozen=True, slots=True)
class _Log:
    """Where a task's log is asked for."""

    server: Client
    job: str
    stage: str
    index: int
    attempt: int | None

    def part(self, stream: Stream, **where: int) -> LogPart:
        which = {} if self.attempt is None else {"attempt": self.attempt}
        return self.server.log(self.job, self.stage, self.index, stream, **which, **where)


class _Reading:
    """One stream of a log and how far it has been read."""

    def __init__(self, log: _Log, stream: Stream, tail: int | None, writer: Writer) -> None:
        self._log, self._stream, self._writer = log, stream, writer
        self._where = {"tail": tail} if tail else {"offset": 0}
        self._is_level = self._is_last = False

    def write(self) -> bool:
        """Write the next part, and tell whether there was anything."""
        part = self._log.part(self._stream, **self._where)
        self._writer(part)
        self._where = {"offset": part.next}
        self._is_level, self._is_last = part.next >= part.size, part.is_last
        return bool(part.data)

    def is_over(self, *, follow: bool) -> bool:
        """Whether all was written that will be, or that there is now."""
        return self._is_last if follow else self._is_level


def _as_it_is(stream: Stream) -> Writer:
    to = sys.stdout.buffer if stream == "stdout" else sys.stderr.buffer

    def write(part: LogPart) -> None:
        to.write(part.data)
        to.flush()

    return write


def _as_lines(stream: Stream) -> Writer:
    """Write each part as a line of JSON; a character that two parts share goes with the second."""
    decoder = getincrementaldecoder("utf-8")(errors="replace")

    def write(part: LogPart) -> None:
        if text := decoder.decode(part.data, final=part.is_last):
            print(json.dumps({"stream": stream, "text": text}, ensure_ascii=False), flush=True)

    return write


def _streams(only: str | None) -> tuple[Stream, ...]:
    match only:
        case None:
            return ("stdout", "stderr")
        case "stdout":
            return ("stdout",)
        case "stderr":
            return ("stderr",)
    raise typer.BadParameter(f"{only!r} is neither stdout nor stderr", param_hint="--only")


def _which(server: Client, job: str, stage: str | None, index: int | None) -> tuple[str, int]:
    if stage is not None:
        return stage, index or 0
    for failed in server.tasks(job, state="FAILED", limit=1):
        return failed.stage, failed.index
    names = [each.name for each in server.job(job).stages]
    if len(names) > 1:
        raise typer.BadParameter(f"the job has several; name one of {', '.join(names[:10])}", param_hint="STAGE")
    return names[0], 0
