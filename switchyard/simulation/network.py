"""The network: which processes it lets speak, and which hear; and questions over HTTP, whose answers may be lost."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from switchyard.simulation.timeline import Timeline

T = TypeVar("T")
#: Seconds that a question or an answer takes, and until one knows that no answer comes.
TRAVEL, TIMEOUT = 0.005, 5.0


class Unreachable(Exception):
    """No answer came; whether the question arrived is not known."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A value, or what was raised instead."""

    value: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """Return the value, or raise the error."""
        if self.error:
            raise self.error
        return self.value  # type: ignore[return-value]  # None is a value where the question gives it


class Network:
    """Connections of all processes to the broker and to the server, cut one way or both."""

    def __init__(self, timeline: Timeline, random: Random) -> None:
        #: The share of answers over HTTP that get lost.
        self.lost = 0.0
        self.joined: list[Callable[[str], None]] = []
        self._timeline = timeline
        self._random = random
        self._mute: set[str] = set()
        self._deaf: set[str] = set()

    def cut(self, process: str, *, out: bool, into: bool) -> None:
        """Let nothing through from a process (`out`), to it (`into`), or both."""
        self._mute |= {process} if out else set()
        self._deaf |= {process} if into else set()

    def join(self, process: str) -> None:
        """Let everything through again."""
        self._mute.discard(process)
        self._deaf.discard(process)
        for call in self.joined:
            call(process)

    def speaks(self, process: str) -> bool:
        """Return whether what a process sends arrives."""
        return process not in self._mute

    def hears(self, process: str) -> bool:
        """Return whether what is sent to a process arrives."""
        return process not in self._deaf

    def ask(self, process: str, question: Callable[[], T], done: Callable[[Answer[T]], None]) -> None:
        """Have a process ask the server; `done` takes the answer, or Unreachable."""

        def arrive() -> None:
            answer = _answered(question) if self.speaks(process) else Answer(error=Unreachable())
            lost = answer.error is None and self._random.random() < self.lost
            if lost or isinstance(answer.error, Unreachable) or not self.hears(process):
                self._timeline.after(TIMEOUT, lambda: done(Answer(error=Unreachable())))
            else:
                self._timeline.after(self._random.expovariate(1 / TRAVEL), lambda: done(answer))

        self._timeline.after(self._random.expovariate(1 / TRAVEL), arrive)


def _answered(question: Callable[[], T]) -> Answer[T]:
    try:
        return Answer(question())
    except Refused as error:
        return Answer(error=error)


class Refused(Exception):
    """The server does not do what it was asked to."""


class SessionEnded(Refused):
    """The session is over."""
