"""Let processes that a task forks handle TERM like any other program. Runs in workers.

What the worker does on TERM is for its own task: in a child it would raise inside a lock that other children wait for.
"""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


class Handler:
    """Calls something on TERM, in this process alone."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._forking = threading.local()
        signal.signal(signal.SIGTERM, self._handle)
        os.register_at_fork(before=self._hold, after_in_parent=self._let_go, after_in_child=self._leave)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        self._call()

    def _hold(self) -> None:
        """Keep a TERM waiting: a child would lose one that comes before it is left to itself."""
        self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def _let_go(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forking.mask)

    def _leave(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._let_go()
