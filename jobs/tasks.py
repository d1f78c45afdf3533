"""The Celery tasks of the scheduler: they only pass on received messages."""

import time
from typing import Any

from celery import shared_task

from jobs.inbox import Arrived, Hint, inbox
from switchyard.messaging.messages import HEARTBEAT_TASK, HINT_TASK, REPORT_TASK, Heartbeat
from switchyard.messaging.transport import Unanswered


@shared_task(name=REPORT_TASK, base=Unanswered)
def report(data: dict[str, Any]) -> None:
    """Take an agent's report."""
    arrived = Arrived.decode(data)
    arrived.arrived = time.monotonic()
    inbox.put(arrived)


@shared_task(name=HINT_TASK, base=Unanswered)
def hint(data: str) -> None:
    """Look again: something changed."""
    inbox.put(Hint(data))


@shared_task(name=HEARTBEAT_TASK, base=Unanswered)
def heartbeat(data: dict[str, Any]) -> None:
    """Take an agent's sign of life."""
    inbox.put(Heartbeat(**data))
