"""Retries on the command line: values at paths are read, and what is reused and what runs is told, stage by stage."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import typer

from switchyard.answers import JobStatus, Retrial, RetriedStage
from switchyard.cli.screen import plain

#: Stages that are told of one by one.
SHOWN = 30


def read(changes: Sequence[str]) -> dict[str, Any]:
    """Return values by path of texts such as stages.train.resources.mem=8GiB; each value is JSON, or else text."""
    read = {}
    for change in changes:
        path, sign, value = change.partition("=")
        if not sign or not path:
            raise typer.BadParameter(f"{change!r} is not PATH=VALUE, as stages.train.resources.mem=8GiB", param_hint="--set")
        read[path] = _value(value)
    return read


def preview(retrial: Retrial) -> Iterator[str]:
    """Yield lines about what a retry would reuse."""
    return _lines(f"A retry of job {retrial.retried_from_number}", retrial.stages)


def reuse(job: JobStatus) -> Iterator[str]:
    """Yield lines about what a retry reuses."""
    stages = [RetriedStage(stage.name, stage.parallelism or None, stage.reused, stage.rerun) for stage in job.stages]
    return _lines(f"Job {job.number}, a retry of job {job.retried_from_number},", stages)


def _lines(what: str, stages: Sequence[RetriedStage]) -> Iterator[str]:
    reused, known = sum(stage.reused for stage in stages), sum(stage.parallelism or 0 for stage in stages)
    yield f"{what} reuses {reused:,} of {_tasks(known)}:"
    yield from _table(stages[:SHOWN])
    if len(stages) > SHOWN:
        yield f"  and {len(stages) - SHOWN:,} more stages"


def _table(stages: Iterable[RetriedStage]) -> Iterator[str]:
    for stage in stages:
        why = f" ({'; '.join(stage.rerun)})" if stage.rerun else ""
        yield plain(f"  {stage.name}: {_told(stage)}{why}")


def _told(stage: RetriedStage) -> str:
    if stage.parallelism is None:
        return "its tasks are made when it begins"
    left = stage.parallelism - stage.reused
    if not left:
        return f"{_tasks(stage.reused)} reused"
    return f"{stage.reused:,} reused, {left:,} to run" if stage.reused else f"{_tasks(left)} to run"


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count:,} tasks"


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> NoReturn:
    """Leave NaN and Infinity, which are no JSON, to be read as text."""
    raise ValueError(name)
