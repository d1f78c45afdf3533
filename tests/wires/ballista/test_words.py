"""Every state, error and kind of ours has a word in this wire."""

import pytest

from access.roles import Role  # noqa: F401  loads what identifies people, with its errors
from artifacts.errors import StorageFull, StorageUnavailable
from jobs.api.serializers import STAGE_STATES
from nodes.reading import STATES
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.retry import ExitClass
from switchyard.scheduling.spec.types import Exchange
from wires.ballista import states
from wires.ballista.errors import WIRE

OURS = ("access.", "artifacts.", "nodes.", "jobs.", "switchyard.scheduling.", "wires.reading")


def errors() -> list[type[SwitchyardError]]:
    found, left = [], [SwitchyardError]
    while left:
        below = left.pop().__subclasses__()
        found += [kind for kind in below if kind.__module__.startswith(OURS)]
        left += below
    return found


def test_every_state_has_a_word() -> None:
    assert set(states.JOBS) == set(JobState)
    assert set(states.TASKS) == set(TaskState)
    assert set(states.STAGES) == set(STAGE_STATES)
    assert set(states.EXECUTORS) == set(STATES)
    assert set(states.REASONS) == set(ExitClass)


def test_every_kind_of_stage_and_edge_has_an_operator() -> None:
    assert set(states.READERS) == set(Exchange)
    assert set(states.PROGRAMS) == {"command", "python"}


def test_every_error_has_a_status_of_its_own() -> None:
    assert len(errors()) > 15
    assert [kind for kind in errors() if kind not in WIRE.statuses] == []


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_no_error_of_ours_is_told_as_a_fault_of_the_server(kind: type[SwitchyardError]) -> None:
    status = WIRE.status_of(kind)
    assert 400 <= status < 500 or (kind in (StorageFull, StorageUnavailable) and status in (503, 507))
