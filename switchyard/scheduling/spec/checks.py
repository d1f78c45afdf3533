"""What no single field can tell: fields that exclude each other, the graph of stages, and the limits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from switchyard.scheduling import dag
from switchyard.scheduling.errors import Cyclic, Fault
from switchyard.scheduling.spec.environments import OLDEST, Environment
from switchyard.scheduling.spec.faults import path_of, shown, suggestion
from switchyard.scheduling.spec.limits import Limits, over
from switchyard.scheduling.spec.types import Constraint, Exchange, ForeachFrom, JobSpec, Need, Op, StageSpec


def faults(job: JobSpec, limits: Limits) -> Iterator[Fault]:
    """Yield what is wrong with a job whose fields are each right; in the order of the description."""
    if len(job.name) > limits.name_length:
        yield over("name", f"{len(job.name):,} characters", "name_length", limits)
    too_big = list(size(job, limits))
    if too_big:
        yield from too_big
        return
    for at, constraint in enumerate(job.constraints):
        yield from _constraint(f"constraints[{at}]", constraint)
    if job.retry.backoff.initial > job.retry.backoff.max:
        yield Fault("retry.backoff.initial", "must not be above max")
    for at, stage in enumerate(job.stages):
        yield from _stage(f"stages[{at}]", stage, limits)
    yield from _environments(job, limits)
    yield from _graph(job)


def size(job: JobSpec, limits: Limits) -> Iterator[Fault]:
    """Yield the limits that a job as a whole is over."""
    tasks = sum(stage.tasks or 0 for stage in job.stages)
    edges = sum(len(stage.upstreams) for stage in job.stages)
    if tasks > limits.tasks:
        yield over("stages", f"{tasks:,} tasks in all", "tasks", limits)
    if edges > limits.edges:
        yield over("stages", f"{edges:,} needs in all", "edges", limits)


def _constraint(path: str, constraint: Constraint) -> Iterator[Fault]:
    count = len(constraint.values)
    if constraint.op in (Op.EQ, Op.NE) and count != 1:
        yield Fault(f"{path}.values", f"must be one value for {constraint.op}")
    if constraint.op is Op.IN and not count:
        yield Fault(f"{path}.values", "must not be empty for in")
    if constraint.op is Op.EXISTS and count:
        yield Fault(f"{path}.values", "must be left away for exists")


def _stage(path: str, stage: StageSpec, limits: Limits) -> Iterator[Fault]:
    if (stage.command is None) is (stage.python is None):
        yield Fault(path, "must have either command or python")
    if stage.parallelism is not None and stage.foreach is not None:
        yield Fault(f"{path}.parallelism", "must be left away: foreach says how many tasks there are")
    yield from _command(path, stage)
    yield from _python_only(path, stage)
    yield from _files(f"{path}.files", stage, limits)


def _command(path: str, stage: StageSpec) -> Iterator[Fault]:
    if isinstance(stage.command, str) and not stage.shell:
        yield Fault(f"{path}.command", 'must be a list such as ["sort", "-u"], or go with shell: true')
    if stage.shell and not isinstance(stage.command, str):
        yield Fault(f"{path}.shell", "needs command to be one text")
    if isinstance(stage.command, tuple) and not stage.command[0]:
        yield Fault(f"{path}.command[0]", "must name a program")


def _python_only(path: str, stage: StageSpec) -> Iterator[Fault]:
    if stage.python is None:
        for name in ("args", "kwargs", "interpreter"):
            if getattr(stage, name):
                yield Fault(f"{path}.{name}", "goes with python only")


def _environments(job: JobSpec, limits: Limits) -> Iterator[Fault]:
    if job.environment:
        yield from _environment("environment", job.environment, limits)
    for at, stage in enumerate(job.stages):
        path = f"stages[{at}].environment" if stage.environment else "environment"
        if stage.environment:
            yield from _environment(path, stage.environment, limits)
        if stage.environment and stage.interpreter:
            yield Fault(path, "goes without interpreter: an environment has one of its own")
        environment = job.whole(stage).environment
        if stage.python and environment and environment.is_old:
            least = ".".join(map(str, OLDEST))
            yield Fault(f"{path}.python", f"must be {least} or later for callables, such as those of stage {stage.name}")


def _environment(path: str, environment: Environment, limits: Limits) -> Iterator[Fault]:
    if not (environment.requirements or environment.lock or environment.python):
        yield Fault(path, "must have requirements, lock or python")
    if environment.requirements and environment.lock:
        yield Fault(f"{path}.requirements", "must be left away: lock names all packages")
    if len(environment.lock or "") > limits.files_bytes:
        yield over(f"{path}.lock", f"{len(environment.lock or ''):,} characters", "files_bytes", limits)


def _files(path: str, stage: StageSpec, limits: Limits) -> Iterator[Fault]:
    size = sum(len(file.encode()) if isinstance(file, str) else file.size for file in stage.files.values())
    for name, file in stage.files.items():
        if not isinstance(file, str) and (file.text is None) is (file.base64 is None):
            yield Fault(f"{path}.{name[:100]}", "must have either text or base64")
    if size > limits.files_bytes:
        yield over(path, f"{size:,} bytes", "files_bytes", limits)
    if stage.program and stage.program.name in stage.files:
        yield Fault(path, f"{shown(stage.program.name)} is the name of the program, too")
    # With "/" as the lowest character, whatever lies in a folder directly follows it.
    ordered = sorted(stage.files, key=lambda name: name.split("/"))
    for name, after in pairwise(ordered):
        if after.startswith(f"{name}/"):
            yield Fault(path, f"{shown(name)} is both a file and the folder of {shown(after)}")


def _graph(job: JobSpec) -> Iterator[Fault]:
    links, flawed = job.links, False
    for flaw in dag.flaws(links):
        flawed = True
        yield _flaw(job, flaw, links)
    if not flawed:
        yield from _pointwise(job)
        yield from _cycle(links)
        yield from _buffers(job)


def _flaw(job: JobSpec, flaw: dag.Flaw, links: dag.Links) -> Fault:
    stage = job.stages[flaw.stage]
    if flaw.upstream is None:
        return Fault(f"stages[{flaw.stage}].name", f"{stage.name!r} is already the name of another stage")
    name = links[flaw.stage][1][flaw.upstream]
    path = _upstream_path(flaw.stage, stage, flaw.upstream)
    if flaw.kind == dag.ITSELF:
        return Fault(path, f"{name!r} is this stage itself")
    if flaw.kind == dag.TWICE:
        return Fault(path, f"{name!r} is already among the needs")
    return Fault(path, f"no stage is named {name!r}{suggestion(name, (known for known, _ in links))}")


def _upstream_path(at: int, stage: StageSpec, upstream: int) -> str:
    field = ("needs", upstream) if upstream < len(stage.needs) else ("foreach", "from")
    return path_of(("stages", at, *field))


def _pointwise(job: JobSpec) -> Iterator[Fault]:
    fixed = {stage.name for stage in job.stages if not isinstance(stage.foreach, ForeachFrom)}
    for at, stage in enumerate(job.stages):
        for position, need in enumerate(stage.needs):
            if need.exchange is Exchange.POINTWISE and not {stage.name, need.stage} <= fixed:
                reason = "pointwise needs both numbers of tasks to be fixed, not to come from foreach: {from: …}"
                yield Fault(path_of(("stages", at, "needs", position)), reason)


def _cycle(links: dag.Links) -> Iterator[Fault]:
    try:
        dag.build(links)
    except Cyclic as error:
        yield Fault("stages", str(error))


def _buffers(job: JobSpec) -> Iterator[Fault]:
    buffered = [
        (path_of(("stages", at, "needs", position, "buffer")), need, stage)
        for at, stage in enumerate(job.stages)
        for position, need in enumerate(stage.needs)
        if need.buffer is not None
    ]
    if not buffered:
        return
    named = {stage.name: stage for stage in job.stages}
    depths = _depths(job)
    for path, need, stage in buffered:
        producer = named[need.stage]
        if need.exchange is not Exchange.POINTWISE:
            yield Fault(path, "goes with exchange: pointwise only")
        elif producer.tasks and stage.tasks and (need.buffer or 0) < (least := _least(producer, stage)):
            yield Fault(path, f"must be {least:,} or more: so many results of {producer.name} are taken at once")
        elif depths and depths[producer.name] != depths[stage.name] and not _holds_all(need, producer):
            reason = (
                f"might stay full for ever: {stage.name} waits until whole stages have ended that {producer.name} does not"
            )
            yield Fault(path, reason)


def _least(producer: StageSpec, consumer: StageSpec) -> int:
    """Return how many results one task takes at the most; gangs give and take all at once."""
    width, tasks = producer.tasks or 1, consumer.tasks or 1
    if producer.gang or consumer.gang:
        return width
    return int(dag.waits(np.arange(tasks), width, tasks).max())


def _depths(job: JobSpec) -> dict[str, int]:
    """Return on how many whole stages each stage waits one after the other; nothing for a graph with a cycle.

    A gang begins when all that its tasks take is there, and gives nothing before it is whole.
    """
    depths: dict[str, int] = {}
    named = {stage.name: stage for stage in job.stages}
    try:
        stages = job.in_order()
    except Cyclic:
        return depths
    for stage in stages:
        depths[stage.name] = max(
            (depths[n.stage] + _waits_for_all(n, named[n.stage], stage) for n in stage.upstreams), default=0
        )
    return depths


def _waits_for_all(need: Need, producer: StageSpec, consumer: StageSpec) -> bool:
    return need.exchange is Exchange.ALL or producer.gang or consumer.gang


def _holds_all(need: Need, producer: StageSpec) -> bool:
    """Return whether a buffer never gets full."""
    return producer.tasks is not None and (need.buffer or 0) >= producer.tasks
