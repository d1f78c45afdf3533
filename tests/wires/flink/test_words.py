"""Every state, error and kind of ours has a word in this wire."""

import pytest

from artifacts.errors import StorageFull, StorageUnavailable
from jobs.api.serializers import STAGE_STATES  # noqa: F401  loads all errors of jobs
from nodes.reading import STATES
from switchyard.scheduling.accumulators import Kind
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.states import JOB_ENDS, TASK_PLACES, JobState, TaskState
from switchyard.scheduling.retry import ExitClass
from switchyard.scheduling.spec.types import Exchange
from tests.wires.ballista.test_words import errors
from wires.flink import states
from wires.flink.errors import WIRE, NotServed, NotStoppable

#: What Flink's own clients know.
JOB_STATES = "CREATED RUNNING FAILING FAILED CANCELLING CANCELED FINISHED RESTARTING SUSPENDING SUSPENDED RECONCILING"
TASK_STATES = "CREATED SCHEDULED DEPLOYING RUNNING FINISHED CANCELING CANCELED FAILED RECONCILING"


def test_every_state_has_a_word_that_clients_know() -> None:
    assert set(states.JOBS) == set(JobState)
    assert set(states.JOBS.values()) < set(states.JOB_WORDS) == set(JOB_STATES.split()) - {"SUSPENDING"}
    assert set(states.TASKS) == set(TaskState)
    assert set(states.TASKS.values()) < set(states.TASK_WORDS) == set(TASK_STATES.split())
    assert set(states.TASKMANAGERS) == set(STATES)
    assert set(states.RESULTS) == JOB_ENDS
    assert set(states.EXITS) == set(ExitClass)


def test_every_kind_of_stage_and_edge_has_a_word() -> None:
    assert set(states.SHIPPING) == set(states.EXCHANGES) == set(Exchange)
    assert set(states.ACCUMULATORS) == set(Kind)
    assert set(states.OPERATORS) == {"command", "python"}


@pytest.mark.parametrize(
    ("tasks", "word"),
    [
        ({}, TaskState.CREATED),
        ({TaskState.CREATED: 1, TaskState.SCHEDULED: 2}, TaskState.CREATED),
        ({TaskState.FINISHED: 1, TaskState.CREATED: 1}, TaskState.RUNNING),
        ({TaskState.RUNNING: 1, TaskState.FINISHED: 1}, TaskState.RUNNING),
        ({TaskState.FINISHED: 2}, TaskState.FINISHED),
        ({TaskState.FAILED: 1, TaskState.CANCELING: 1}, TaskState.FAILED),
        ({TaskState.CANCELED: 1, TaskState.FINISHED: 1}, TaskState.CANCELED),
        ({TaskState.RECONCILING: 1, TaskState.RUNNING: 1}, TaskState.RECONCILING),
    ],
)
def test_a_vertex_is_summed_up_as_flink_does(tasks: dict[int, int], word: TaskState) -> None:
    assert states.vertex(tuple(tasks.get(place, 0) for place in range(TASK_PLACES)), ended=False) is word


def test_a_vertex_that_ended_without_tasks_finished() -> None:
    assert states.vertex((0,) * TASK_PLACES, ended=True) is TaskState.FINISHED


def test_every_error_has_a_status_of_its_own() -> None:
    assert [kind for kind in errors() if kind not in WIRE.statuses] == []


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_no_error_of_ours_is_told_as_a_fault_of_the_server(kind: type[SwitchyardError]) -> None:
    status = WIRE.status_of(kind)
    assert 400 <= status < 500 or (kind in (StorageFull, StorageUnavailable) and status in (503, 507))


def test_its_own_errors_have_the_statuses_that_clients_expect() -> None:
    assert WIRE.status_of(NotStoppable) == 409
    assert WIRE.status_of(NotServed) == 501
