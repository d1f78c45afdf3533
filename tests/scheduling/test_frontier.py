"""The frontier of a job: unchanged work keeps its finished tasks; changed work, and what reads its results, runs again."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Before, Origin
from switchyard.scheduling.lifecycle.frontier import TERMS, Standing, changes, frontier
from switchyard.scheduling.lifecycle.reuse import origins
from switchyard.scheduling.pointwise import overlapping
from switchyard.scheduling.spec import JobSpec, StageSpec, from_data, to_json
from switchyard.scheduling.spec.types import Exchange

WIDTH = 4
Drawn = tuple[JobSpec, JobSpec, dict[str, Before]]
#: Edits of a stage in a retry.
EDITS: list[dict[str, Any]] = [{}, {}, {"args": [1]}, {"resources": {"mem": 5}}, {"timeout": 9}, {"env": {"A": "1"}}]
#: For each field of a stage a value other than that of `stage`.
OTHER: dict[str, Any] = {
    "name": "other",
    "command": ["true"],
    "shell": True,
    "python": "m:g",
    "args": [1.0],
    "kwargs": {"b": 1, "a": [True]},
    "files": {"m.py": "def f(): 2"},
    "env": {"A": "2"},
    "interpreter": "python3.12",
    "parallelism": 5,
    "foreach": [1, 2, 3, 5],
    "resources": {"cpus": 2, "mem": "8GiB"},
    "gang": True,
    "needs": [{"stage": "load", "exchange": "pointwise"}],
    "timeout": 60,
    "grace": 1,
    "program": {"digest": "0" * 64, "name": "a.zip"},
    "outputs": {"model": "model.bin"},
    "environment": {"requirements": ["numpy"]},
}


def described(**of_stage: Any) -> JobSpec:
    stage = {
        "name": "train",
        "python": "m:f",
        "args": [1],
        "kwargs": {"a": [1], "b": 1},
        "needs": ["load"],
        "env": {"A": "1"},
    }
    return from_data({"name": "j", "stages": [{"name": "load", "python": "m:f"}, stage | of_stage]})


def finished(spec: JobSpec, **sets: IndexSet) -> dict[str, Before]:
    """Return a job of which everything finished but for what is said otherwise."""
    return {
        stage.name: Before(at, stage.tasks or 0, sets.get(stage.name, IndexSet.span(0, stage.tasks or 0)))
        for at, stage in enumerate(spec.stages)
    }


def of(stages: list[Standing], name: str) -> Standing:
    return next(stage for stage in stages if stage.stage == name)


def test_each_field_of_a_stage_is_looked_at() -> None:
    assert set(OTHER) == {field.name for field in fields(StageSpec)}


@pytest.mark.parametrize("name", [name for name in OTHER if name not in ("command", "shell", "foreach")])
def test_a_field_is_work_or_a_term(name: str) -> None:
    one, other = described().stages[1], described(**{name: OTHER[name]}).stages[1]
    assert changes(one, other) == ([] if name in TERMS else [name])


def test_a_command_and_items_are_work() -> None:
    job = [
        {"name": "a", "command": ["true"], "foreach": [1]},
        {"name": "a", "command": "true", "shell": True, "foreach": [2]},
    ]
    one, other = (from_data({"name": "j", "stages": [stage]}).stages[0] for stage in job)
    assert changes(one, other) == ["command", "shell", "foreach"]


@pytest.mark.parametrize(
    "same", [{"kwargs": {"b": 1, "a": [1]}}, {"needs": [{"stage": "load", "exchange": "all"}]}, {"timeout": 5}, {"grace": 1}]
)
def test_what_says_the_same_changes_nothing(same: dict[str, Any]) -> None:
    old, new = described(), described(**same)
    assert [(each.stage, len(each.stands), each.reasons) for each in frontier(old, new, finished(old))] == [
        ("load", 1, ()),
        ("train", 1, ()),
    ]


@pytest.mark.parametrize("value", [1.0, True, "1", [1]])
def test_values_are_compared_exactly(value: Any) -> None:
    assert changes(described().stages[1], described(args=[value]).stages[1]) == ["args"]


def test_a_buffer_is_a_term_of_a_need() -> None:
    need = {"stage": "load", "exchange": "pointwise"}
    assert changes(described(needs=[need]).stages[1], described(needs=[need | {"buffer": 2}]).stages[1]) == []


def test_the_type_of_the_job_is_work_and_the_rest_of_the_job_is_not() -> None:
    old = described()
    data = to_json(old)
    terms = {
        "priority": 1,
        "pool": "gpu",
        "labels": {"a": "b"},
        "retry": {"attempts": 3},
        "name": "k",
        "timeouts": {"run": 5},
    }
    assert all(each.stands for each in frontier(old, from_data(data | terms), finished(old)))
    assert all(each.stands for each in frontier(old, from_data(data | {"type": "job:1"}), finished(old)))
    other = frontier(old, from_data(data | {"type": "index:2"}), finished(old))
    assert [each.reasons for each in other] == [("the job is of another type",)] * 2


def test_a_renamed_stage_is_new_and_what_needs_it_has_changed() -> None:
    old = described()
    read = {"name": "read", "python": "m:f"}
    new = from_data({"name": "j", "stages": [read, to_json(old.stages[1]) | {"needs": ["read"]}]})
    found = frontier(old, new, finished(old))
    assert [(each.stage, bool(each.stands), each.reasons) for each in found] == [
        ("read", False, ("it is new",)),
        ("train", False, ("changed: needs",)),
    ]


def test_a_task_whose_result_is_gone_runs_again_with_what_was_given_it() -> None:
    stages = [
        {"name": "a", "python": "m:f", "parallelism": 3},
        {"name": "b", "python": "m:f", "parallelism": 3, "needs": [{"stage": "a", "exchange": "pointwise"}]},
        {"name": "c", "python": "m:f", "needs": ["a"]},
    ]
    job = from_data({"name": "j", "stages": stages})
    before = finished(job)
    before["a"] = before["a"]._replace(gone=IndexSet.span(1, 2))
    found = frontier(job, job, before)
    assert [of(found, name).stands.to_json() for name in "abc"] == [[[0, 1], [2, 3]], [[0, 1], [2, 3]], []]
    assert of(found, "a").reasons == ("a result is not stored any more",)
    assert of(found, "b").reasons == of(found, "c").reasons == ("stage a, which it needs, runs again",)


def test_items_are_kept_while_what_they_were_made_from_stands() -> None:
    stages: list[dict[str, Any]] = [
        {"name": "a", "python": "m:f", "args": [1]},
        {"name": "b", "python": "m:f", "foreach": {"from": "a"}},
    ]
    job = from_data({"name": "j", "stages": stages})
    before = {"a": Before(0, 1, IndexSet.span(0, 1)), "b": Before(1, 5, IndexSet.span(0, 3))}
    kept = of(frontier(job, job, before), "b")
    assert (kept.tasks, kept.stands, kept.same) == (5, IndexSet.span(0, 3), True)
    other = from_data({"name": "j", "stages": [stages[0] | {"args": [2]}, stages[1]]})
    lost = of(frontier(job, other, before), "b")
    assert (lost.tasks, bool(lost.stands), lost.same) == (None, False, False)
    # It failed before there were any: they are made from the same results again.
    none = of(frontier(job, job, before | {"b": Before(1, 0, IndexSet())}), "b")
    assert (none.tasks, bool(none.stands), none.same) == (None, False, False)


@st.composite
def jobs(draw: st.DrawFn) -> Drawn:
    """Draw a job, what it is described as in a retry, and what had finished of it."""
    old, new, before = [], [], {}
    for at in range(draw(st.integers(1, 5))):
        needs = [
            {"stage": f"s{other}", "exchange": draw(st.sampled_from(["all", "pointwise"]))}
            for other in range(at)
            if draw(st.booleans())
        ]
        width = draw(st.integers(1, WIDTH))
        stage: dict[str, Any] = {
            "name": f"s{at}",
            "python": "m:f",
            "parallelism": width,
            "needs": needs,
            "gang": draw(st.booleans()),
        }
        old.append(stage)
        edit = draw(st.sampled_from(EDITS))
        new.append(stage | edit)
        ended = IndexSet.from_indexes(draw(st.sets(st.integers(0, width - 1))) if draw(st.booleans()) else range(width))
        gone = IndexSet.from_indexes(i for i in ended if draw(st.integers(0, 9)) == 0)
        before[f"s{at}"] = Before(at, width, ended, gone)
    return from_data({"name": "j", "stages": old}), from_data({"name": "j", "stages": new}), before


@given(jobs())
def test_a_task_stands_exactly_if_it_and_all_that_it_was_given_stand(
    drawn: Drawn,
) -> None:
    old, new, before = drawn
    found = {stage.stage: stage for stage in frontier(old, new, before)}
    former = {stage.name: stage for stage in old.stages}
    for stage in new.in_order():
        was, width = before[stage.name], stage.tasks or 0
        kept = was.finished - was.gone if not changes(former[stage.name], stage) else IndexSet()
        stands = {
            index
            for index in kept
            if all(
                other in found[need.stage].stands
                for need in stage.needs
                for other in _read(index, width, need.exchange, found[need.stage].tasks or 0)
            )
        }
        if stage.gang and len(stands) < width:
            stands = set()
        assert set(found[stage.name].stands) == stands
        # Whatever finished and does not stand has its reason, and nothing else has one.
        assert bool(found[stage.name].reasons) == (len(stands) < len(was.finished))


@given(jobs())
def test_nothing_edited_keeps_what_finished_as_far_as_it_is_stored(drawn: Drawn) -> None:
    old, _, before = drawn
    whole = {name: was._replace(finished=IndexSet.span(0, was.tasks), gone=IndexSet()) for name, was in before.items()}
    assert all(not each.lacking and not each.reasons for each in frontier(old, old, whole))


def test_results_are_traced_to_the_job_that_made_them() -> None:
    was = Before(8, 4, IndexSet.span(0, 4), origins=(Origin(7, 70, IndexSet.span(0, 2)),))
    assert origins(9, was, IndexSet.span(1, 4)) == (
        Origin(7, 70, IndexSet.span(1, 2)),
        Origin(9, 8, IndexSet.span(2, 4)),
    )
    assert origins(9, was, IndexSet.span(0, 1)) == (Origin(7, 70, IndexSet.span(0, 1)),)


def _read(index: int, width: int, exchange: Exchange, producers: int) -> range:
    if exchange is Exchange.ALL:
        return range(producers)
    return range(*overlapping(index, index + 1, width, producers))


def test_the_environment_of_a_job_is_work_of_the_stages_that_have_none() -> None:
    stages = [{"name": "a", "python": "m:f"}, {"name": "b", "python": "m:f", "interpreter": "python3"}]
    one, other = (from_data({"name": "j", "environment": {"python": each}, "stages": stages}) for each in ("3.11", "3.12"))
    found = frontier(one, other, finished(one))
    assert of(found, "a").reasons == ("changed: environment",)
    assert of(found, "b").lacking == IndexSet()
