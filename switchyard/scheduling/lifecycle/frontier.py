"""The frontier of a job that ended: which finished tasks stand in its retry, and why others that finished run again.

A finished task stands if the work of its stage is the same, its result is still stored, and all tasks stand whose results
it was given. The work of a stage is its whole description apart from TERMS. See docs/job-description.md.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import shares
from switchyard.scheduling.lifecycle.facts import Before
from switchyard.scheduling.spec.parsing import to_json
from switchyard.scheduling.spec.types import Exchange, ForeachFrom, JobSpec, Need, StageSpec

#: Fields of a stage that say on what and for how long its tasks run, and not what they do. Any other field is work.
TERMS = frozenset({"name", "resources", "timeout", "grace"})

NONE = IndexSet()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a retry has of a stage: its tasks (None: not known yet), which of them stand, why others that finished do not.

    `same` says that its work is what it was, and that it runs over the same items.
    """

    stage: str
    tasks: int | None
    stands: IndexSet = NONE
    reasons: tuple[str, ...] = ()
    same: bool = False

    @property
    def lacking(self) -> IndexSet | None:
        """The tasks that do not stand; None if it is not known yet which tasks there are."""
        return None if self.tasks is None else IndexSet.span(0, self.tasks) - self.stands


def frontier(old: JobSpec, new: JobSpec, before: Mapping[str, Before]) -> list[Standing]:
    """Return what stands of each stage of a retry, producers first; `before` are the stages of the old job by name."""
    former = {stage.name: old.whole(stage) for stage in old.stages}
    same_type = _type(old) == _type(new)
    found: dict[str, Standing] = {}
    for stage in new.in_order():
        known, was = former.get(stage.name), before.get(stage.name)
        if known is None or was is None:
            found[stage.name] = Standing(stage.name, stage.tasks, reasons=("it is new",))
        elif not same_type:
            found[stage.name] = _anew(stage, was, "the job is of another type")
        elif changed := changes(known, new.whole(stage)):
            found[stage.name] = _anew(stage, was, f"changed: {', '.join(changed)}")
        else:
            found[stage.name] = _standing(stage, was, found)
    return list(found.values())


def changes(old: StageSpec, new: StageSpec) -> list[str]:
    """Return the fields in which the work of two stages differs; the order of keys and of needs is no difference."""
    one, other = _work(old), _work(new)
    return [field.name for field in fields(StageSpec) if one.get(field.name) != other.get(field.name)]


def _standing(stage: StageSpec, was: Before, found: Mapping[str, Standing]) -> Standing:
    tasks, expanded = stage.tasks, isinstance(stage.foreach, ForeachFrom)
    if isinstance(stage.foreach, ForeachFrom):
        source = found[stage.foreach.stage]
        if source.lacking is None or source.lacking:
            return _anew(stage, was, _runs_again(source.stage))
        # Nothing to run over and not expanded yet look alike: the source says again which.
        tasks = was.tasks or None
    if tasks is None:
        return Standing(stage.name, None)
    stands, reasons = was.finished, []
    for left, reason in _restrictions(stage, tasks, was, found):
        if stands - left:
            reasons.append(reason)
        stands &= left
    if stage.gang and stands and len(stands) < tasks:
        stands, reasons = NONE, [*reasons, "the members of a gang run together"]
    return Standing(stage.name, tasks, stands, tuple(reasons), same=expanded)


def _restrictions(stage: StageSpec, tasks: int, was: Before, found: Mapping[str, Standing]) -> Iterator[tuple[IndexSet, str]]:
    """Yield sets of tasks outside of which none stands, each with the reason."""
    everything = IndexSet.span(0, tasks)
    yield everything - was.gone, _gone(len(was.gone))
    for need in stage.upstreams:
        yield everything - _without_input(need, tasks, found[need.stage]), _runs_again(need.stage)


def _without_input(need: Need, tasks: int, producer: Standing) -> IndexSet:
    """Return the tasks that would be given something else than before."""
    lacking = producer.lacking
    if lacking is not None and not lacking:
        return NONE
    if lacking is None or need.exchange is Exchange.ALL:
        return IndexSet.span(0, tasks)
    return shares(lacking, tasks, producer.tasks or 0)


def _anew(stage: StageSpec, was: Before, reason: str) -> Standing:
    return Standing(stage.name, stage.tasks, reasons=(reason,) if was.finished else ())


def _runs_again(producer: str) -> str:
    return f"stage {producer}, which it needs, runs again"


def _gone(count: int) -> str:
    return "a result is not stored any more" if count == 1 else f"{count:,} results are not stored any more"


def _type(job: JobSpec) -> tuple[str, str]:
    return (job.type.name, job.type.version or "1") if job.type else ("job", "1")


def _work(stage: StageSpec) -> dict[str, str]:
    """Return the work of a stage, field by field, as text: 1, 1.0 and true are equal in Python, and here they are not."""
    described = {name: value for name, value in to_json(stage).items() if name not in TERMS}
    described["needs"] = sorted((need.stage, need.exchange.value) for need in stage.needs)
    return {name: json.dumps(value, sort_keys=True) for name, value in described.items()}
