"""The tables of states: total, closed, and ending."""

import pytest

from switchyard.scheduling.lifecycle.states import (
    JOB_ENDS,
    JOB_TRANSITIONS,
    TASK_ENDS,
    TASK_TRANSITIONS,
    JobState,
    State,
    TaskState,
    diagram,
    sources,
)

MACHINES = [(TaskState, TASK_TRANSITIONS, TASK_ENDS), (JobState, JOB_TRANSITIONS, JOB_ENDS)]


@pytest.mark.parametrize(("states", "table", "ends"), MACHINES)
def test_every_state_has_its_row(states: type[State], table: dict[State, frozenset[State]], ends: frozenset[State]) -> None:
    assert set(table) == set(states)


@pytest.mark.parametrize(("states", "table", "ends"), MACHINES)
def test_every_state_is_reached_from_the_first(
    states: type[State], table: dict[State, frozenset[State]], ends: frozenset[State]
) -> None:
    reached = fresh = {min(states)}
    while fresh := {after for state in fresh for after in table[state]} - reached:
        reached |= fresh
    assert reached == set(states)


@pytest.mark.parametrize(("states", "table", "ends"), MACHINES)
def test_an_end_is_reached_from_everywhere(
    states: type[State], table: dict[State, frozenset[State]], ends: frozenset[State]
) -> None:
    reaching = set(ends)
    while grown := {state for state in states if state not in reaching and table[state] & reaching}:
        reaching |= grown
    assert reaching == set(states)


def test_an_ended_task_can_only_wait_anew_and_an_ended_job_stays_so() -> None:
    assert all(TASK_TRANSITIONS[state] == {TaskState.CREATED} for state in TASK_ENDS)
    assert not any(JOB_TRANSITIONS[state] for state in JOB_ENDS)


def test_the_sources_of_a_state_are_those_that_may_precede_it() -> None:
    assert sources(TaskState.SCHEDULED) == {TaskState.CREATED, TaskState.RECONCILING}


def test_a_diagram_has_an_arrow_for_each_transition() -> None:
    text = diagram(TASK_TRANSITIONS, TASK_ENDS)
    assert "    SCHEDULED --> RUNNING" in text
    assert text.count("-->") == sum(map(len, TASK_TRANSITIONS.values())) + 1 + len(TASK_ENDS)
