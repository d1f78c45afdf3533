"""Where the consumer's thread leaves what arrived, and the leader's loop takes it."""

from dataclasses import dataclass
from queue import SimpleQueue

from agent.messages import Heartbeat, Report


@dataclass(slots=True)
class Arrived(Report):
    """A report, and when it arrived here (monotonic seconds)."""

    arrived: float = 0.0


#: Holds reports, heartbeats, and None for each hint.
inbox: SimpleQueue[Report | Heartbeat | None] = SimpleQueue()
