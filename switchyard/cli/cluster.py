"""Commands that steer the cluster: pause, resume, drain, remove."""

from typing import Annotated

import typer

from switchyard.answers import JobStatus, NodeStatus, SchedulerStatus
from switchyard.cli.options import AsJson, Reason
from switchyard.cli.outcome import client
from switchyard.cli.screen import emit, plain

NODE_HELP = "Name or id of a node; without one, the whole scheduler."
SomeNode = Annotated[str | None, typer.Argument(metavar="[NODE]", help=NODE_HELP)]
SomeJob = Annotated[str | None, typer.Option("--job", metavar="JOB", help="Number or id of a suspended job.")]
Node = Annotated[str, typer.Argument(metavar="NODE", help="Name or id of the node.")]


def pause(ctx: typer.Context, node: SomeNode = None, *, reason: Reason = "", as_json: AsJson = False) -> None:
    """Start no more tasks, on a node or anywhere; what has begun goes on."""
    with client(ctx) as server:
        _tell(server.pause_node(node, reason) if node else server.pause(reason), as_json=as_json)


def resume(ctx: typer.Context, node: SomeNode = None, *, job: SomeJob = None, as_json: AsJson = False) -> None:
    """Start tasks again: of a suspended job, on a node that was paused or drained, or everywhere."""
    if node and job:
        raise typer.BadParameter("name a node or a job, not both")
    with client(ctx) as server:
        _tell(server.resume_job(job) if job else server.resume_node(node) if node else server.resume(), as_json=as_json)


def drain(ctx: typer.Context, node: Node, *, reason: Reason = "", as_json: AsJson = False) -> None:
    """Empty a node: nothing more starts there, and it is DRAINED when what has begun has ended."""
    with client(ctx) as server:
        _tell(server.drain_node(node, reason), as_json=as_json)


def remove(ctx: typer.Context, node: Node, *, as_json: AsJson = False) -> None:
    """Delete a node that is gone for ever; what ran there keeps its name. Admins may."""
    with client(ctx) as server:
        server.delete_node(node)
    if as_json:
        emit({"deleted": node})
    else:
        print(plain(f"Node {node} is deleted"))


def _tell(told: JobStatus | NodeStatus | SchedulerStatus, *, as_json: bool) -> None:
    if as_json:
        emit(told)
        return
    if isinstance(told, JobStatus):
        what = f"Job {told.number}"
    else:
        what = f"Node {told.name}" if isinstance(told, NodeStatus) else "The scheduler"
    print(plain(f"{what} is {told.state}"))
