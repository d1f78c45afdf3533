"""Where the consumer's thread leaves what arrived, and the leader's loop takes it."""

from queue import SimpleQueue

from agent.messages import Heartbeat, Report

#: Holds reports, heartbeats, and None for each hint.
inbox: SimpleQueue[Report | Heartbeat | None] = SimpleQueue()
