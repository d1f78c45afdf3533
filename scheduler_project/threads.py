"""Threads: those of a web process, the last one used first: each keeps a connection to the database, with its statements.

A pool that takes turns among its threads would prepare every statement in every one of them, also for one client alone.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread

Job = tuple[Future[None], Callable[[], None]]


class Threads:
    """At most so many threads, begun as they are needed. They are daemons: a process that ends waits for nobody's body."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun = 0
        self._idle: list[SimpleQueue[Job]] = []
        self._waiting: deque[Job] = deque()
        self._changing = Lock()

    def run(self, call: Callable[[], None]) -> Future[None]:
        """Call something in a thread, as soon as one is free."""
        job = Future[None](), call
        with self._changing:
            if self._idle:
                self._idle.pop().put(job)
            elif self._begun < self._most:
                self._begun += 1
                Thread(target=self._serve, args=(job,), daemon=True, name="web").start()
            else:
                self._waiting.append(job)
        return job[0]

    def _serve(self, job: Job) -> None:
        own: SimpleQueue[Job] = SimpleQueue()
        while True:
            done, call = job
            try:
                call()
            except BaseException as error:
                self._next(own)
                done.set_exception(error)
            else:
                self._next(own)
                done.set_result(None)
            job = own.get()

    def _next(self, own: SimpleQueue[Job]) -> None:
        """Take what waits, or be idle; before the answer is known, so that a client's next request finds this thread."""
        with self._changing:
            if self._waiting:
                own.put(self._waiting.popleft())
            else:
                self._idle.append(own)
