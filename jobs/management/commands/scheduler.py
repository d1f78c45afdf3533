"""The scheduler worker: stands by until it holds the lease, then leads."""

import gc
import os
import signal
import socket
import sys
import threading
from typing import Any

import structlog
from celery import current_app
from django.core.management.base import BaseCommand

from jobs.leader import hangs, lease, watchdog
from jobs.leader.loop import Leader
from switchyard.leader.lease import STAND_BY
from switchyard.messaging.consumer import Consumer
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HINT_QUEUE, REPORT_QUEUE
from switchyard.scheduling.lifecycle.records import LeaseLost

log = structlog.get_logger()
#: Objects that are made before the young ones are looked through for garbage: a round makes as many.
YOUNG = 20_000


class Command(BaseCommand):
    help = "Run a scheduler worker. Several may run: one leads, the others take over when it is gone."
    #: The others look at routes and pages, which only web processes load.
    requires_system_checks = ("access",)

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        holder = f"{socket.gethostname()}:{os.getpid()}"
        while not stopping.is_set():
            epoch = lease.take(holder)
            if epoch:
                _lead(epoch, stopping)
            stopping.wait(STAND_BY)


def _lead(epoch: int, stopping: threading.Event) -> None:
    log.info("leading", epoch=epoch)
    watchdog.start(hangs.note)
    consumer = Consumer(current_app, [HEARTBEAT_QUEUE, REPORT_QUEUE, HINT_QUEUE])
    # What is here by now stays for good, and need not be looked through for garbage again and again.
    gc.freeze()
    gc.set_threshold(YOUNG)
    try:
        Leader(epoch, hearing=lambda: consumer.hearing).run(stopping.is_set)
    except LeaseLost as lost:
        log.warning("leads no longer: standing by", epoch=epoch, reason=type(lost).__doc__)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    consumer.stop()
