"""The broker: named queues that lose, double, delay and reorder messages."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from switchyard.simulation.network import Network
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline

Message = dict[str, Any]


@dataclass(slots=True)
class Weather:
    """How messages fare: shares lost and doubled, seconds on the way, and the share that takes up to `late` seconds more."""

    lost: float = 0.0
    doubled: float = 0.0
    seconds: float = 0.002
    delayed: float = 0.0
    late: float = 0.0


#: Without any fault.
FAIR = Weather()


class Broker:
    """Queues by name. A message waits in its queue until a process consumes that and can be reached."""

    def __init__(self, timeline: Timeline, random: Random, story: Story, network: Network) -> None:
        self.weather = FAIR
        #: Whether it takes messages.
        self.up = True
        self._network = network
        self._timeline = timeline
        self._random = random
        self._story = story
        self._queues: dict[str, deque[str]] = {}
        self._consumers: dict[str, tuple[str, Callable[[Message], None]]] = {}
        network.joined.append(self._rejoin)

    def send(self, sender: str, queue: str, message: Message) -> bool:
        """Send a message; return whether the broker took it, which the sender learns."""
        if not (self.up and self._network.speaks(sender)):
            return False
        weather, text = self.weather, json.dumps(message)
        copies = 1 + (self._random.random() < weather.doubled)
        for _ in range(copies):
            if self._random.random() < weather.lost:
                self._story.note("broker", f"loses a message of {sender} to {queue}")
                continue
            seconds = self._random.expovariate(1 / weather.seconds)
            if self._random.random() < weather.delayed:
                seconds += self._random.uniform(0, weather.late)
            self._timeline.after(seconds, lambda: self._arrive(queue, text))
        return True

    def consume(self, process: str, queue: str, take: Callable[[Message], None]) -> None:
        """Have a process take the messages of a queue, in place of whoever did."""
        self._consumers[queue] = (process, take)
        self._timeline.after(0, lambda: self._hand_over(queue))

    def leave(self, process: str, queue: str) -> None:
        """Have a process take no more messages of a queue."""
        if self._consumers.get(queue, ("",))[0] == process:
            del self._consumers[queue]

    def delete(self, queue: str) -> None:
        """Drop what waits in a queue."""
        self._queues.pop(queue, None)

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        return len(self._queues.get(queue, ()))

    def flush(self) -> None:
        """Lose all that waits."""
        self._queues.clear()

    def start(self) -> None:
        """Take messages again, and hand out what waits."""
        self.up = True
        for queue in list(self._consumers):
            self._hand_over(queue)

    def _rejoin(self, process: str) -> None:
        for queue, (consumer, _) in list(self._consumers.items()):
            if consumer == process:
                self._hand_over(queue)

    def _arrive(self, queue: str, text: str) -> None:
        self._queues.setdefault(queue, deque()).append(text)
        self._hand_over(queue)

    def _hand_over(self, queue: str) -> None:
        while self.up and queue in self._consumers and self._queues.get(queue):
            process, take = self._consumers[queue]
            if not self._network.hears(process):
                return
            take(json.loads(self._queues[queue].popleft()))
