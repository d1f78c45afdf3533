"""Ask the server again until it answers, in threads."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from typing import TypeVar

import httpx
import structlog

from switchyard.agent.machine import faults
from switchyard.agent.network.server import Refused, SessionEnded, StorageFails

log = structlog.get_logger()
T = TypeVar("T")
#: Seconds between attempts, at first and at most.
FIRST, MOST = 0.2, 5.0
#: Seconds for which the server's storage may take nothing before it is given up.
PATIENCE = 600.0


def patient(ask: Callable[[], T], seconds: float) -> Callable[[], T | str]:
    """Return what asks the same, but says why the server's storage takes nothing when that has lasted for some time."""
    begun: list[float] = []

    def asked() -> T | str:
        try:
            return ask()
        except StorageFails as error:
            begun.append(time.monotonic())
            if begun[-1] - begun[0] < seconds:
                raise
            return str(error)

    return asked


class Repeating:
    """Some threads. `call` runs what it is given in the supervisor's thread; `fault` tells a fault of the machine."""

    def __init__(
        self, threads: int, name: str, folder: Path, call: Callable[[Callable[[], None]], None], fault: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._call = call
        self._fault = fault
        self.closed = Event()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._begin(threads)

    def submit(self, ask: Callable[[], T], done: Callable[[T | None], None]) -> None:
        """Ask until there is an answer, and hand it over in the supervisor's thread; None for what is refused."""
        self.then(ask, lambda value: self.answer(value, done))

    def answer(self, value: T | None, done: Callable[[T | None], None]) -> None:
        """Hand over an answer in the supervisor's thread."""
        self._call(partial(done, value))

    def then(self, ask: Callable[[], T], done: Callable[[T | None], None]) -> None:
        """Ask until there is an answer, and hand it over in the same thread."""
        self._threads.submit(self._persist, ask, done)

    def close(self) -> None:
        """Give up what is under way."""
        self.closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, threads: int) -> None:
        """Start all threads now: later the machine may let none begin."""
        begun = Barrier(threads + 1)
        try:
            for _ in range(threads):
                self._threads.submit(begun.wait)
        except RuntimeError:
            begun.abort()  # Else those that did begin would keep this process from ending.
            raise
        begun.wait()

    def _persist(self, ask: Callable[[], T], done: Callable[[T | None], None]) -> None:
        pause = FIRST
        while not self.closed.is_set():
            try:
                value = self._ask(ask)
            except httpx.HTTPError as error:
                log.warning("server not reached, trying again", error=str(error))
            except OSError as error:
                fault = faults.describe(error, self._folder)
                log.warning("what the server sent cannot be kept, trying again", fault=fault, error=str(error))
                self._fault(fault)
            except SessionEnded as error:
                log.warning("the session has ended", error=str(error))
                return
            else:
                if not self.closed.is_set():
                    done(value)
                return
            self.closed.wait(pause)
            pause = min(2 * pause, MOST)

    @staticmethod
    def _ask(ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except SessionEnded:
            raise
        except Refused as error:
            log.warning("refused", error=str(error))
            return None
