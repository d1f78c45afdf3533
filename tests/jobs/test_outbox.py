"""The outbox: the leader sends by any that it is given."""

from collections.abc import Callable, Collection, Iterable, Sequence

import redis

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job
from switchyard.messaging.messages import Command
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN


class Kept:
    """Keeps what it takes."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def send(self, commands: Iterable[Command]) -> None:
        self.commands += commands

    def waiting(self, sessions: Sequence[str]) -> list[int]:
        return [0 for _ in sessions]

    def delete(self, sessions: Collection[str]) -> None:
        self.commands = [command for command in self.commands if command.session not in sessions]


def test_all_that_agents_are_told_goes_through_the_outbox(
    leader: Leader, broker: redis.Redis, job: Callable[..., Job]
) -> None:
    kept = Kept()
    leader = Leader(leader.epoch, outbox=kept)
    agent = ListAgent(broker)
    made = job({"a": {"parallelism": 2}})
    turn(leader)
    assert [len(command.launches) for command in kept.commands if command.session == agent.session] == [1]
    control.cancel(ANN, made.id)
    turn(leader)
    assert any(command.cancels for command in kept.commands)
    assert agent.listen() == [], "nothing went to the broker"
