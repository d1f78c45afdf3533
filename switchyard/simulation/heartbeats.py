"""Heartbeats: how an agent tells that it lives, and knows when it was last heard."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switchyard.messaging.messages import HEARTBEAT_QUEUE, Heartbeat
from switchyard.simulation.network import Answer, SessionEnded, Unreachable
from switchyard.simulation.server import Registered

if TYPE_CHECKING:
    from switchyard.simulation.agents import Agent

#: Seconds between heartbeats, and of silence from which on they go over HTTP too.
INTERVAL, UNHEARD = 5.0, 12.5


class Heartbeats:
    """The heartbeats of one session."""

    def __init__(self, agent: "Agent", registered: Registered, figures: Callable[[], dict[str, Any]]) -> None:
        self.ended = False
        self._agent = agent
        self._registered = registered
        self._figures = figures
        self._number = 0
        self._sent: dict[int, float] = {}
        self._heard = agent.machine.monotonic

    @property
    def heard(self) -> float:
        """When the last heartbeat was sent that was acknowledged, by the machine's clock."""
        return float("-inf") if self.ended else self._heard

    @property
    def silence(self) -> float:
        """Seconds since then."""
        return self._agent.machine.monotonic - self.heard

    def acknowledge(self, number: int) -> None:
        """Note that a heartbeat was heard."""
        at = self._sent.get(number)
        if at is not None:
            self._heard = max(self._heard, at)
            self._sent = {other: sent for other, sent in self._sent.items() if other > number}

    def beat(self) -> None:
        """Send a heartbeat, and another after a while."""
        if self._agent.session is None or self._agent.session.heartbeats is not self:
            return
        beat = self._next(self._figures())
        taken = self._agent.broker.send(self._agent.name, HEARTBEAT_QUEUE, beat)
        if not taken or self.silence > UNHEARD:
            self._ask(beat if taken else {**beat, "figures": {**beat["figures"], "broker": "away"}})
        self._agent.machine.timeline.after(INTERVAL, lambda: self._agent.run(self.beat))

    def say_left(self) -> None:
        """Say that nothing of the session is left."""
        self._ask(self._next({"leaving": True, "left": True}))

    def _next(self, figures: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._sent[self._number] = self._agent.machine.monotonic
        return Heartbeat(self._registered.node, self._registered.session, self._number, figures).encode()

    def _ask(self, beat: dict[str, Any]) -> None:
        agent = self._agent
        agent.network.ask(
            agent.name, lambda: agent.server.heartbeat(beat), lambda answer: agent.run(lambda: self._answered(answer))
        )

    def _answered(self, answer: Answer[int]) -> None:
        try:
            self.acknowledge(answer.get())
        except Unreachable:
            return
        except SessionEnded:
            self.ended = True
        self._agent.wake()
