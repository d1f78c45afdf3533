"""Progress: a live bar for each stage on a terminal, and a line for each change of a stage elsewhere."""

from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from switchyard.answers import JobStatus, StageStatus
from switchyard.cli.screen import console, lasted, plain, say
from switchyard.client import FEW_STAGES, Client


def follow(server: Client, job: JobStatus) -> JobStatus:
    """Show a job until it has ended, and return it."""
    moves = server.watch(job.id)
    return _with_bars(moves, job) if console(errors=True).is_terminal else _with_lines(moves, job)


def _with_bars(moves: Iterator[JobStatus], job: JobStatus) -> JobStatus:
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Progress(*columns, console=console(errors=True)) as bars:
        known: dict[str, TaskID] = {}
        for job in moves:
            for name, done, total, state in _figures(job):
                if name not in known:
                    known[name] = bars.add_task(name, total=None, state="")
                bars.update(known[name], completed=done, total=total, state=state)
    return job


def _figures(job: JobStatus) -> Iterator[tuple[str, int, int | None, str]]:
    """Yield a name, tasks that have ended, tasks in all (None while unknown) and a word for each bar."""
    if job.stages_total > FEW_STAGES:
        # More than a screen holds, and than are asked for: one bar tells of the whole job.
        yield plain(job.name), job.tasks_ended, job.tasks["total"], f"{job.stages_ended} of {job.stages_total} stages"
        return
    for stage in job.stages:
        yield stage.name, stage.ended, _total(stage), _word(stage)


def _total(stage: StageStatus) -> int | None:
    """A stage whose tasks are made from another's results has none yet; one that ended without any is full."""
    return stage.parallelism or (0 if stage.ended_at else None)


def _word(stage: StageStatus) -> str:
    if failed := stage.tasks.get("FAILED", 0):
        return f"{failed} failed"
    if stage.started_at and stage.ended_at:
        return f"{stage.state.lower()} in {lasted(stage.ended_at - stage.started_at)}"
    return f"{stage.running} running" if stage.running else stage.state.lower()


def _with_lines(moves: Iterator[JobStatus], job: JobStatus) -> JobStatus:
    known: dict[str, str] = {}
    for job in moves:
        if job.stages_total > FEW_STAGES:
            _say_once(known, job.name, f"{job.stages_ended} of {job.stages_total} stages ({job.tasks_ended} tasks)")
            continue
        for stage in job.stages:
            if known.get(stage.name, "WAITING") != stage.state:
                say(f"{stage.name}: {stage.state.lower()} ({stage.ended}/{stage.parallelism})")
                known[stage.name] = stage.state
    return job


def _say_once(known: dict[str, str], name: str, text: str) -> None:
    if known.get(name) != text:
        say(plain(f"{name}: {text}"))
        known[name] = text
