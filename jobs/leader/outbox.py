"""The way of commands to agents."""

from collections.abc import Collection, Iterable, Sequence

from celery import current_app

from switchyard.messaging import transport
from switchyard.messaging.messages import COMMAND_TASK, Command, queue_of


class Broker:
    """Sends commands by Celery over Redis, a queue for each session."""

    def send(self, commands: Iterable[Command]) -> None:
        """Send each command to its session, all in one round trip."""
        messages = [(command.encode(), queue_of(command.session)) for command in commands]
        transport.send_all(current_app, COMMAND_TASK, messages)

    def waiting(self, sessions: Sequence[str]) -> list[int]:
        """Return how many commands wait for each of these sessions."""
        return transport.waiting(current_app, [queue_of(session) for session in sessions])

    def delete(self, sessions: Collection[str]) -> None:
        """Delete the queues of sessions that are over."""
        transport.delete(current_app, [queue_of(session) for session in sessions])
