"""The queue of received messages between the consumer's thread and the leader's loop."""

from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue

from switchyard.messaging.messages import Heartbeat, Report


@dataclass(slots=True)
class Arrived(Report):
    """A report, and when it arrived here (monotonic seconds)."""

    arrived: float = 0.0


class Hint(StrEnum):
    """What there is to do in the database beside what reports say. It may be lost: a tick looks for all of it."""

    PLACE = "place"
    STOP = "stop"
    CHECKPOINT = "checkpoint"


Message = Report | Heartbeat | Hint

inbox: SimpleQueue[Message] = SimpleQueue()
