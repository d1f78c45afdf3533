"""Start an agent: `python -m agent --help`."""

import os
import signal
import socket
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any

import httpx
import psutil
import typer
from celery import Celery

from agent import transport
from agent.fetching import Fetcher
from agent.journal import Journal
from agent.messages import COMMAND_TASK, REPORT_QUEUE, REPORT_TASK, queue_of
from agent.reports import Reports
from agent.supervisor import Supervisor


def main(
    server: Annotated[str, typer.Option(help="Base URL of the Switchyard server.")] = "http://127.0.0.1:8000",
    name: Annotated[str, typer.Option(help="Name of this node.")] = socket.gethostname(),
    data: Annotated[Path, typer.Option(help="Folder for the journal and the files of tasks.")] = Path(".switchyard-agent"),
    slots: Annotated[int, typer.Option(help="Tasks of one cpu to run at once.")] = os.cpu_count() or 1,
    pool: Annotated[str, typer.Option(help="Pool that this node belongs to.")] = "default",
) -> None:
    """Run an agent on this machine until it is told to stop."""
    data.mkdir(parents=True, exist_ok=True)
    totals = {"cpus": slots * 1000, "mem": psutil.virtual_memory().total >> 20, "disk": psutil.disk_usage(str(data)).total >> 20}
    answer = httpx.post(
        f"{server}/api/v1/agent/register",
        json={"name": name, "totals": totals, "labels": {}, "pool": pool, "info": {"host": socket.gethostname()}},
    ).raise_for_status()
    node, session = answer.json()["node"], answer.json()["session"]
    app = Celery("agent", broker=transport.broker_url(os.environ["REDIS_URL"]), set_as_current=False)
    app.conf.update(transport.celery_settings())
    outbox: SimpleQueue[dict[str, Any]] = SimpleQueue()
    supervisor = Supervisor(
        folder=data.resolve(),
        room=totals,
        session=session,
        reports=Reports(node, session, outbox.put),
        journal=Journal(data / "journal"),
        fetch=Fetcher(server).fetch,
    )
    app.task(name=COMMAND_TASK)(supervisor.deliver)
    threading.Thread(target=_publish, args=(app, outbox), daemon=True).start()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (stopping.set(), supervisor.wake()))
    stop = transport.consume(app, [queue_of(session)])
    wait = 1.0
    while not stopping.is_set():
        wait = supervisor.step(wait)
    stop()


def _publish(app: Celery, outbox: "SimpleQueue[dict[str, Any]]") -> None:
    while True:
        transport.send(app, REPORT_TASK, outbox.get(), REPORT_QUEUE)


if __name__ == "__main__":
    typer.run(main)
