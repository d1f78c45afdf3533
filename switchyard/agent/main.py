"""Run an agent: its options, its data folder, its sessions, its departure."""

import gc
import os
import shlex
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import structlog
import typer
from redis.exceptions import AuthenticationError, RedisError

from switchyard.agent import recovery
from switchyard.agent.core.environments import BOUND as ENVIRONMENTS
from switchyard.agent.core.fencing import Fence
from switchyard.agent.core.stops import Reason
from switchyard.agent.disk import output
from switchyard.agent.disk.folder import Folder, InUse, Unusable
from switchyard.agent.machine import description
from switchyard.agent.machine.totals import measure
from switchyard.agent.network import heartbeats
from switchyard.agent.network.cache import BOUND
from switchyard.agent.network.repeating import PATIENCE as STORAGE_PATIENCE
from switchyard.agent.network.server import Occupied, Refused, Registered, Server
from switchyard.agent.processes import cgroups
from switchyard.agent.session import Session, Settings
from switchyard.messaging import transport

log = structlog.get_logger()
#: Seconds that running tasks are given, and the last reports and logs, when the agent is told to stop.
DELIVERY = 5.0
#: Seconds between attempts to register.
RETRY = 1.0
#: Seconds after which it is logged again that there still is no session.
TOLD_AGAIN = 60.0
#: Seconds between them while another agent runs as this node, and for how many times its fence they are made: the machine
#: may have booted, and the server then does not know for a while that nothing runs there any more.
OCCUPIED = 5.0
PATIENCE = 1.8
#: Objects that are made before the young ones are looked through for garbage: a large command makes as many.
YOUNG = 20_000
DEFAULT = Fence()
NO_LOGIN = (
    "the broker wants a password, REDIS_URL has none, and the server can make no user for this agent there "
    "(docs/operating.md, Redis of your own): give REDIS_URL with the password"
)


def main(
    server: Annotated[str, typer.Option(help="Base URL of the Switchyard server.")] = "http://127.0.0.1:8000",
    name: Annotated[str, typer.Option(help="Name of this node.")] = socket.gethostname(),
    data: Annotated[Path, typer.Option(help="Folder for the journal and the files of tasks.")] = Path(".switchyard-agent"),
    slots: Annotated[float | None, typer.Option("--slots", "--cpus", help="Cpus to use; default: all.")] = None,
    mem: Annotated[int | None, typer.Option(help="MiB of memory to use; default: all.")] = None,
    disk: Annotated[int | None, typer.Option(help="MiB of disk to use; default: all that is free.")] = None,
    gpus: Annotated[int, typer.Option(help="GPU devices to use, by number from 0.")] = 0,
    resource: Annotated[list[str] | None, typer.Option(help="Another resource, as name=amount; repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label of this node, as key=value; repeatable.")] = None,
    use_cgroups: Annotated[
        bool, typer.Option("--cgroups/--no-cgroups", help="Bound the memory of tasks by control groups where allowed.")
    ] = True,
    pool: Annotated[str, typer.Option(help="Pool that this node belongs to.")] = "default",
    log_cap: Annotated[int, typer.Option(help="Bytes kept of each output stream of a task.")] = output.CAP,
    cache: Annotated[int, typer.Option(help="MiB kept of files that tasks hand on, beside what is in use.")] = BOUND >> 20,
    patience: Annotated[float, typer.Option(help="Seconds to wait for storage that takes nothing.")] = STORAGE_PATIENCE,
    environments: Annotated[int, typer.Option(help="MiB kept of environments, beside what is in use.")] = ENVIRONMENTS >> 20,
    pip_args: Annotated[
        str, typer.Option(envvar="SWITCHYARD_PIP_ARGS", help="Options of pip install and uv pip install for environments.")
    ] = "",
    heartbeat: Annotated[float, typer.Option(hidden=True)] = heartbeats.INTERVAL,
    fence: Annotated[float, typer.Option(hidden=True)] = DEFAULT.term,
    grace: Annotated[float, typer.Option(help="Seconds that running tasks get when the agent is stopped.")] = 10.0,
) -> None:
    """Run an agent on this machine until it is told to stop."""
    try:
        folder = Folder(data.resolve())
        settings = Settings(
            server=server,
            redis_url=_required("REDIS_URL"),
            token=os.environ.get("SWITCHYARD_NODE_TOKEN", ""),
            name=name,
            folder=folder.path,
            totals=measure(folder.path, slots=slots, mem=mem, disk=disk, gpus=gpus, others=resource or []),
            labels=description.abilities() | _pairs(label or [], "--label"),
            pool=pool,
            log_cap=log_cap,
            cache=cache,
            patience=patience,
            environments=environments,
            pip_args=_split(pip_args),
            cgroups=use_cgroups,
            heartbeat=heartbeat,
            fence=Fence(fence, fence * DEFAULT.kill / DEFAULT.term),
        )
        Agent(settings, folder, grace).run()
    except (InUse, Refused, Unusable) as error:
        typer.echo(f"switchyard agent: {error}", err=True)
        raise typer.Exit(3) from None


class Agent:
    """One agent process."""

    def __init__(self, settings: Settings, folder: Folder, grace: float) -> None:
        self._settings = settings
        self._folder = folder
        self._grace = grace
        self._fence = settings.fence
        self._server = Server(settings.server, settings.token)
        self._stopping = threading.Event()
        self._session: Session | None = None
        self._journal = folder.path / "journal"
        self._groups: cgroups.Groups | None = None
        #: Whether the broker lets nobody in without credentials, and REDIS_URL has none.
        self._locked_out = False
        #: Why there was no session when that was logged last, and when that was.
        self._told = "", 0.0

    def run(self) -> None:
        """Work until told to stop; after being cut off, begin again as one's own successor."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        description.time_collections()
        self._folder.clear()
        self._groups = cgroups.find(f"switchyard-{self._folder.identity}") if self._settings.cgroups else None
        try:
            registered = self._register(recovery.last_session(self._journal, self._folder.boot))
            if registered:
                self._work(self._open(registered))
            if not self._stopping.is_set():
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        finally:
            if self._groups:
                self._groups.leave()

    def _open(self, registered: Registered) -> Session:
        """Begin a session, as the successor of the last one if the server goes on with that."""
        recovered = recovery.read(
            self._journal,
            self._folder.path / "workers",
            reported=registered.last_report,
            cap=self._settings.log_cap,
        )
        if not registered.resumed:
            recovered = recovered.output_alone(self._settings.whose)
        self._session = Session(self._settings, self._server, registered, recovered, self._folder, self._groups)
        # Not before the journal is of the new session: a successor that finds the old one there asks with this secret again.
        self._folder.secret.answered()
        return self._session

    def _stop(self, *_: Any) -> None:
        self._stopping.set()
        if self._session:
            self._session.supervisor.wake()

    def _register(self, last_session: str) -> Registered | None:
        """Ask for a session until there is one; None if told to stop meanwhile."""
        settings, patience = self._settings, time.monotonic() + PATIENCE * self._fence.kill
        while not self._stopping.is_set():
            try:
                self._reach_broker(needed=not last_session)
                registered = self._server.register(
                    name=settings.name,
                    totals=settings.totals,
                    labels=settings.labels,
                    pool=settings.pool,
                    info=self._info(),
                    session=last_session,
                    version=description.version(),
                    secret=self._folder.secret.own,
                    last_secret=self._folder.secret.last,
                )
            except Occupied as error:
                if time.monotonic() > patience:
                    raise
                self._waits("not registered, waiting for the other agent to be silent", error)
                self._stopping.wait(OCCUPIED)
            except (httpx.HTTPError, RedisError) as error:
                self._waits("not registered, trying again", error)
                self._stopping.wait(RETRY)
            else:
                if not registered.login and self._locked_out:
                    raise Refused(NO_LOGIN)
                log.info(
                    "registered", name=settings.name, node=registered.node, resumed=registered.resumed, memory=self._memory
                )
                return registered
        return None

    def _waits(self, event: str, error: Exception) -> None:
        """Log why there is no session yet: when that is news, else now and then."""
        last, at = self._told
        if str(error) != last or time.monotonic() > at + TOLD_AGAIN:
            self._told = str(error), time.monotonic()
            log.warning(event, server=self._settings.server, error=str(error))

    def _reach_broker(self, *, needed: bool) -> None:
        """Look whether commands will arrive: a node that is heard over HTTP alone would be given tasks for nothing.

        What runs in the last session is not to be given up for a broker that is away, so that it need not answer then.
        """
        url, self._locked_out = self._settings.redis_url, False
        try:
            transport.reach(url)
        except AuthenticationError as error:
            if transport.has_login(url):
                raise Refused(f"the broker does not accept the password (REDIS_URL): {error}") from error
            # The server makes a user for each session where it can.
            self._locked_out = True
        except ValueError as error:
            raise Refused(f"REDIS_URL is not an address of Redis: {error}") from error
        except RedisError:
            if needed:
                raise

    @property
    def _memory(self) -> str:
        """How the memory of tasks is bounded."""
        return self._groups.version.name if self._groups else "resident size"

    def _info(self) -> dict[str, Any]:
        process = {"host": socket.gethostname(), "pid": os.getpid()}
        agent = {"agent": self._folder.identity, "place": self._folder.place}
        return {**process, **agent, "memory": self._memory, "machine": description.facts(self._folder.path)}

    def _work(self, session: Session) -> None:
        """Work until told to stop, or cut off from the server for too long."""
        wait, supervisor, beats, cut = 1.0, session.supervisor, session.heartbeats, False
        # What is here by now stays for good; looking for garbage in it took a fifth of the time.
        gc.freeze()
        gc.set_threshold(YOUNG)
        while not self._stopping.is_set():
            if cut != (beats.silence >= self._fence.term):
                cut = not cut
                self._cut_off(session) if cut else self._heard_again(session)
            if cut and not (supervisor.fence(self._fence, beats.silence) and supervisor.busy):
                session.close(ship=0.1, left=beats.ended)
                return
            if session.deaf and not supervisor.busy:
                log.error("no command reaches this process though the broker answers: beginning again")
                session.close(ship=DELIVERY)
                return
            supervisor.extend(self._fence, beats.heard)
            wait = supervisor.step(wait)
        self._leave(session)

    def _cut_off(self, session: Session) -> None:
        """Begin nothing more: the server is about to have it run elsewhere. What ends is told when it is heard again."""
        log.warning("cut off from the server, ending what runs", seconds=session.heartbeats.silence)
        session.supervisor.leave()

    def _heard_again(self, session: Session) -> None:
        """Go on with the session: what the server waited for has gone on."""
        log.info("heard by the server again")
        session.supervisor.come_back()

    def _leave(self, session: Session) -> None:
        """Return what has not begun, let the rest end for a while, deliver all reports, and go."""
        supervisor = session.supervisor
        supervisor.leave()
        session.heartbeats.leave()
        asked = time.monotonic()
        while not supervisor.idle and time.monotonic() < asked + self._grace + DELIVERY:
            supervisor.extend(self._fence, session.heartbeats.heard)
            supervisor.step(0.02)
            if time.monotonic() > asked + self._grace:
                supervisor.stop_all(Reason.SHUTDOWN, grace=0)
        session.close(ship=DELIVERY, left=supervisor.idle)


def _required(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise Refused(f"{variable} is not set")
    return value


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise typer.BadParameter(f"SWITCHYARD_PIP_ARGS: {error}") from error


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    if not all(pairs):
        raise typer.BadParameter(f"{option} wants name=value")
    return pairs
