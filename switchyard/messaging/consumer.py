"""A thread that takes messages while the process lives, and a check that it does.

Celery gives up for good at an error that it takes for permanent, such as a broker that refuses writes. Here every end of
its worker is followed by a new one. A thread that ends all the same ends the process: one that is deaf looks alive.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import structlog
from celery import Celery
from celery.worker import state
from kombu import Exchange, Queue
from kombu.asynchronous import set_event_loop

from switchyard.messaging.transport import Unanswered, is_locked_out, send

log = structlog.get_logger()
CANARY_TASK = "transport.canary"
#: Seconds between the end of a worker and the next.
AGAIN = 0.5
#: Seconds between two canaries, and after how many times as long a process that hears none is deaf, or locked out.
CANARY = 1.0
DEAF = 10
#: Exit status of a process whose consumer ended.
ENDED = 70


class Hearing(StrEnum):
    """What is known of the way through the broker to this process."""

    UNKNOWN = "is not known to deliver messages"
    WHOLE = ""
    REFUSED = "takes no messages"
    LOCKED_OUT = "does not accept the password"
    DEAF = "does not deliver messages"


class Consumer:
    """Consumes queues in a background thread until it is stopped, and sends a message to itself now and then.

    The tasks of `app` run in that thread and should only hand over what they got. Whatever becomes of the broker, the
    caller's thread goes on: connections are tried again for ever, here.
    """

    def __init__(
        self, app: Celery, queues: Sequence[str], *, canary: float = CANARY, changed: Callable[[], None] = lambda: None
    ) -> None:
        """Begin; `changed` is called when messages no longer reach this process, and when they do (again)."""
        self._app = app
        self._own = queues[-1]
        self._canary = canary
        self._changed = changed
        #: Since when canaries that the broker took have not arrived.
        self._unheard: float | None = None
        self.hearing = Hearing.UNKNOWN
        self._stopping = threading.Event()
        app.conf.task_queues = [Queue(name, Exchange("", type="direct"), routing_key=name, no_ack=True) for name in queues]
        app.task(name=CANARY_TASK, base=Unanswered, shared=False)(self._hear)
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self._thread.start()
        threading.Thread(target=self._probe, name="canaries", daemon=True).start()

    def stop(self) -> None:
        """Consume no more."""
        self._stopping.set()
        state.should_stop = 0  # type: ignore[assignment]  # the stubs know only its start value
        self._thread.join(timeout=2)

    def _hear(self, _: None) -> None:
        self._unheard = None
        self._note(Hearing.WHOLE)

    def _note(self, hearing: Hearing) -> None:
        was, self.hearing = self.hearing, hearing
        if Hearing.WHOLE in (was, hearing) and was is not hearing:
            self._changed()

    def _probe(self) -> None:
        refused = 0.0
        while not self._stopping.is_set():
            now = time.monotonic()
            since = self._unheard = self._unheard or now
            if not send(self._app, CANARY_TASK, None, self._own):
                self._unheard, refused = None, refused or now
                late = now - refused > DEAF * self._canary
                self._note(Hearing.LOCKED_OUT if late and is_locked_out(self._app) else Hearing.REFUSED)
            else:
                refused = 0.0
                if self._unheard and now - since > DEAF * self._canary:
                    self._note(Hearing.DEAF)
            # Where the way is not known to be whole, it is looked at sooner.
            self._stopping.wait(self._canary if self.hearing is Hearing.WHOLE else min(self._canary, AGAIN))

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._consume()
                if self.hearing is Hearing.WHOLE and not self._stopping.is_set():
                    self._note(Hearing.UNKNOWN)
                self._stopping.wait(AGAIN)
        finally:
            if not self._stopping.is_set():
                log.critical("the consumer has ended, and with it this process")
                os._exit(ENDED)

    def _consume(self) -> None:
        # A worker that has ended leaves its closed event loop for the next.
        set_event_loop(None)
        try:
            self._app.WorkController(
                app=self._app,
                pool_cls="solo",
                concurrency=1,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            ).start()
        except Exception:
            log.exception("consumer failed")
