"""A session: everything between one registration and the next, wired together."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from celery import Celery

from switchyard.agent import recovery
from switchyard.agent.core.fencing import Fence
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.logs import Log
from switchyard.agent.disk.folder import Folder
from switchyard.agent.disk.journal import Journal
from switchyard.agent.machine.fitness import Fitness
from switchyard.agent.network.fetching import Fetcher
from switchyard.agent.network.heartbeats import Heartbeats
from switchyard.agent.network.server import Registered, Server
from switchyard.agent.network.shipping import Shipper
from switchyard.agent.processes.cgroups import Groups
from switchyard.agent.supervisor import Supervisor
from switchyard.messaging import transport
from switchyard.messaging.consumer import Consumer, Hearing
from switchyard.messaging.messages import COMMAND_TASK, REPORT_QUEUE, REPORT_TASK, queue_of

#: Reports that wait in the broker while nobody takes them; with more, none is sent again.
CROWDED = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent is told when it starts."""

    server: str
    redis_url: str
    token: str
    name: str
    folder: Path
    totals: dict[str, int]
    labels: dict[str, str]
    pool: str
    log_cap: int
    cache: int
    patience: float
    environments: int
    pip_args: tuple[str, ...]
    cgroups: bool
    heartbeat: float
    fence: Fence

    @property
    def whose(self) -> str:
        """Which cluster this is an agent of, without telling its token."""
        return hashlib.sha256(self.token.encode()).hexdigest()


class Session:
    """One registration of this agent, at work."""

    def __init__(
        self,
        settings: Settings,
        server: Server,
        registered: Registered,
        recovered: Recovered,
        folder: Folder,
        groups: Groups | None,
    ) -> None:
        self._app = _app(settings.redis_url, registered)
        self._outbox: SimpleQueue[tuple[dict[str, Any], bool] | None] = SimpleQueue()
        self.journal = Journal(
            settings.folder / "journal",
            _beginning(settings, registered, recovered, folder),
        )
        fitness = Fitness(settings.folder)
        self.shipper = Shipper(server, settings.log_cap, self.journal.shipped)
        self.supervisor = Supervisor(
            folder=settings.folder,
            room=settings.totals,
            registered=registered,
            journal=self.journal,
            send=lambda report, again: self._outbox.put((report, again)),
            fetcher=lambda call, fault: Fetcher(
                server, settings.folder, call, fault, settings.cache << 20, settings.patience
            ),
            shipper=self.shipper,
            recovered=recovered,
            fitness=fitness,
            keep=folder.tree,
            groups=groups,
            options=settings.pip_args,
            bound=settings.environments << 20,
        )
        self.journal.known(recovered.entries)
        self._take_over(recovered.logs)
        self.journal.commit()
        folder.empty(keep=recovery.paths(recovered))
        self._sweep = folder.sweep
        self.heartbeats = Heartbeats(
            self._app, server, registered, settings.folder, fitness, settings.heartbeat, self.supervisor.inventory
        )
        self._app.task(name=COMMAND_TASK, base=transport.Unanswered)(self._deliver)
        # Before anything is sent: Celery fixes the queues of an app when it first needs one.
        # A user of the broker that is gone, as after a restart of it or when the session is over, is told by a heartbeat.
        self._consumer = Consumer(
            self._app, [queue_of(registered.session)], canary=settings.heartbeat, changed=self.heartbeats.hurry
        )
        Thread(target=self._publish, name="reports", daemon=True).start()
        self.heartbeats.start()

    @property
    def deaf(self) -> bool:
        """Say whether commands do not arrive though the broker takes messages, or does so from others."""
        return self._consumer.hearing in (Hearing.DEAF, Hearing.LOCKED_OUT)

    def close(self, *, ship: float, left: bool = False) -> None:
        """End what runs, say so if nothing of the session is left, and take a few seconds to ship the last logs.

        The server takes that word for it: it has what was begun run elsewhere at once.
        """
        self.heartbeats.close()
        self._consumer.stop()
        self._outbox.put(None)
        self.supervisor.close()
        self._sweep()
        if left:
            self.journal.left()
            self.heartbeats.say_left()
        self.shipper.close(ship)
        self.journal.close()

    def _take_over(self, logs: list[Log]) -> None:
        """Ship what a predecessor did not; what the server has of it already changes nothing."""
        for log in logs:
            self.journal.inherited(log)
            self.shipper.finish(log)
        for folder in {Path(log.path).parent for log in logs}:
            self.shipper.remove(folder)

    def _deliver(self, command: dict[str, Any]) -> None:
        self.heartbeats.acknowledged(command.get("heartbeat", 0))
        self.supervisor.deliver(command)

    def _publish(self) -> None:
        """Send reports, but to no crowded queue: what is left out is kept and sent again, and then the queue is looked at."""
        crowded = False
        while item := self._outbox.get():
            report, again = item
            if again:
                crowded = transport.waiting(self._app, [REPORT_QUEUE])[0] > CROWDED
            if not crowded:
                transport.send(self._app, REPORT_TASK, report, REPORT_QUEUE)


def _app(redis_url: str, registered: Registered) -> Celery:
    url = transport.logged_in(redis_url, *registered.login) if registered.login else redis_url
    # No fixups: Celery's one for Django would load the settings that DJANGO_SETTINGS_MODULE may name.
    app = Celery("agent", broker=transport.broker_url(url), set_as_current=False, fixups=[])
    app.conf.update(transport.celery_settings())
    transport.only_add(app, [REPORT_QUEUE])
    return app


def _beginning(settings: Settings, registered: Registered, recovered: Recovered, folder: Folder) -> dict[str, Any]:
    """Return the first line of the journal."""
    return {
        "node": registered.node,
        "session": registered.session,
        "boot": folder.boot,
        "whose": settings.whose,
        "highest": recovered.highest,
    }
