"""A job that starts from a savepoint of another: stages are matched by their names, whatever their work is by now.

Tasks that had finished stand with their results. The others go on from their states; where a stage has another number of
tasks than it had, the elements of the lists that they saved are shared out anew, in their order.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Before
from switchyard.scheduling.lifecycle.frontier import Standing
from switchyard.scheduling.spec.types import ForeachFrom, JobSpec, StageSpec


class Part(NamedTuple):
    """The elements of a list from `low` up to `high`, which stand in another one from `at` on."""

    source: int
    low: int
    high: int
    at: int


def standing(spec: JobSpec, before: Mapping[str, Before], saved: Collection[str], *, lenient: bool) -> list[Standing]:
    """Return what stands of each stage of a job that starts from a savepoint, producers first.

    `before` are the stages as they were saved, by name, and `saved` the names of those of which states are kept.
    Raises InvalidSpec where a stage is not there any more, unless that is to be left out, or has another number of tasks
    though some had finished.
    """
    faults = list(_left_out(spec, before, saved)) if not lenient else []
    places = {stage.name: place for place, stage in enumerate(spec.stages)}
    found: dict[str, Standing] = {}
    for stage in spec.in_order():
        was = before.get(stage.name)
        found[stage.name] = Standing(stage.name, stage.tasks) if was is None else _standing(stage, was, found)
        if was and was.finished and stage.tasks and stage.tasks != was.tasks:
            ended = f"{len(was.finished):,} of {was.tasks:,} tasks had finished"
            faults.append(
                Fault(f"stages[{places[stage.name]}].parallelism", f"must be {was.tasks:,}, as in the savepoint: {ended}")
            )
    if faults:
        raise InvalidSpec(faults)
    return list(found.values())


def share_out(lengths: Sequence[int], tasks: int) -> list[list[Part]]:
    """Share the elements of lists out among tasks, in their order and as evenly as can be; each task gets some part."""
    ends = list(accumulate(lengths))
    total = ends[-1] if ends else 0
    shares, source = [], 0
    for task in range(tasks):
        low, high = total * task // tasks, total * (task + 1) // tasks
        parts, at = [], low
        while at < high:
            while ends[source] <= at:
                source += 1
            begin, last = ends[source] - lengths[source], min(high, ends[source])
            parts.append(Part(source, at - begin, last - begin, at - low))
            at = last
        shares.append(parts or [Part(0, 0, 0, 0)])
    return shares


def _standing(stage: StageSpec, was: Before, found: Mapping[str, Standing]) -> Standing:
    tasks, expanded = stage.tasks, isinstance(stage.foreach, ForeachFrom)
    if isinstance(stage.foreach, ForeachFrom):
        source = found[stage.foreach.stage]
        if source.lacking is None or source.lacking or not was.tasks:
            return Standing(stage.name, None)
        tasks = was.tasks
    stands = was.finished - was.gone if tasks == was.tasks else IndexSet()
    if stage.gang and len(stands) < was.tasks:
        stands = IndexSet()
    again = len(was.finished - stands)
    reasons = (f"{again:,} results are not stored any more",) if again and was.gone else ()
    return Standing(stage.name, tasks, stands, reasons, same=expanded)


def _left_out(spec: JobSpec, before: Mapping[str, Before], saved: Collection[str]) -> list[Fault]:
    names = {stage.name for stage in spec.stages}
    lost = [name for name, was in before.items() if name not in names and (was.finished or name in saved)]
    return [
        Fault("stages", f"has no stage {name:.100}, of which the savepoint has states; allow that to leave them out")
        for name in lost
    ]
