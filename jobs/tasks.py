"""The Celery tasks of the scheduler: they only pass on received messages."""

import time
from functools import partial
from typing import Any

import structlog
from celery import shared_task

from jobs.inbox import Arrived, Hint, inbox
from switchyard.messaging.messages import HEARTBEAT_TASK, HINT_TASK, REPORT_TASK, Heartbeat
from switchyard.messaging.transport import Unanswered

log = structlog.get_logger()


@shared_task(name=REPORT_TASK, base=Unanswered)
def report(data: dict[str, Any]) -> None:
    """Take an agent's report, but for parts of it that are none."""
    arrived = Arrived.decode(data, partial(_refuse, data))
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


def _refuse(data: dict[str, Any], why: str) -> None:
    log.error("part of a report refused", node=data.get("node"), number=data.get("number"), reason=why)
