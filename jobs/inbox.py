"""Where the consumer's thread leaves what arrived, and the leader's loop takes it."""

from queue import SimpleQueue
from typing import Any

#: Holds decoded reports, and None for each hint.
inbox: SimpleQueue[Any] = SimpleQueue()
