"""How a job ended: the top of its results, or which tasks failed and why."""

import json
import sys
from datetime import timedelta
from typing import Any

from switchyard.answers import JobStatus, TaskStatus
from switchyard.cli.screen import lasted, plain, say
from switchyard.client import Client

SHOWN_LINES = 40
SHOWN_WIDTH = 160
SHOWN_FAILURES = 5


def tell_end(server: Client, job: JobStatus) -> None:
    """Write the top of the results of a finished job; of any other, why it was not."""
    if job.is_finished:
        _tell_results(job, dict(server.results(job.id).results))
    why = f": {_brief(job.error)}" if job.error else ""
    say(plain(f"Job {job.number} is {job.state} after {lasted(_span(job))}{why}"))
    tell_failures(server, job)


def tell_failures(server: Client, job: JobStatus) -> None:
    """Name the first tasks that failed, why, and where to read more."""
    if not job.tasks.get("FAILED"):
        return
    failed = list(server.tasks(job.id, state="FAILED", limit=SHOWN_FAILURES))
    for task in failed:
        say(plain(f"  {task.stage}[{task.index}] attempt {task.attempt} on {task.node}: {_why(task)}"))
    say(f"Read more: switchyard logs {job.number} {failed[0].stage} {failed[0].index}" if failed else "")


def readable(value: Any) -> str:
    """Return a result as people read it: JSON, but a text that is all of it as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _tell_results(job: JobStatus, results: dict[str, Any]) -> None:
    """The only task's result stands for a stage of one; people see no stage without results, and of long ones the top."""
    shown = {name: values[0] if len(values) == 1 else list(values) for name, values in results.items()}
    if not sys.stdout.isatty():
        print(json.dumps(shown, indent=2, ensure_ascii=False), flush=True)
        return
    shown = {name: value for name, value in shown.items() if any(each is not None for each in results[name])}
    if not shown:
        return
    lines = plain(readable(shown)).splitlines()
    for line in lines[:SHOWN_LINES]:
        print(line if len(line) <= SHOWN_WIDTH else f"{line[:SHOWN_WIDTH]}…")
    if len(lines) > SHOWN_LINES or any(len(line) > SHOWN_WIDTH for line in lines):
        print(f"… in full: switchyard results {job.number}", flush=True)


def _span(job: JobStatus) -> timedelta:
    return job.ended_at - job.created_at if job.ended_at else timedelta()


def _why(task: TaskStatus) -> str:
    last = (task.error or "").strip().splitlines()[-1:]
    return ", ".join((task.exit_class or "failed", *last))


def _brief(error: str) -> str:
    """Return an error on one line: of a stack trace only how it begins and what it comes to."""
    first, *rest = error.strip().splitlines()
    return " … ".join([first.strip(), *(line.strip() for line in rest[-1:])])
