"""Every state, error and kind of ours has a word in this wire."""

import pytest

from artifacts.errors import StorageFull, StorageUnavailable
from nodes.reading import STATES
from switchyard.scheduling.allocation.base import ALGORITHMS
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.states import TaskState
from tests.wires.ballista.test_words import errors
from wires.scale import states
from wires.scale.decode import QUEUE_MODES
from wires.scale.errors import OLDER, WIRE


def test_every_state_has_a_word() -> None:
    assert set(states.NODES) == set(STATES)
    assert set(states.TASKS) == set(TaskState)
    assert set(states.WORDS) == set(states.State)


def test_every_order_of_submissions_has_a_word() -> None:
    assert set(states.QUEUE_MODES) == set(ALGORITHMS)
    assert set(states.QUEUE_MODES.values()) == set(QUEUE_MODES)


@pytest.mark.parametrize(
    ("state", "conditions", "stopped", "word"),
    [
        ("INACTIVE", ["error"], True, "DEPRECATED"),
        ("SILENT", ["error"], True, "OFFLINE"),
        ("GONE", [], True, "OFFLINE"),
        ("PAUSED", ["error"], True, "PAUSED"),
        ("READY", ["error"], True, "SCHEDULER_STOPPED"),
        ("READY", ["warning", "error"], False, "DEGRADED"),
        ("READY", ["warning"], False, "READY"),
    ],
)
def test_the_first_of_several_reasons_names_a_node(state: str, conditions: list[str], stopped: bool, word: str) -> None:
    assert states.of_node(state, conditions, stopped=stopped) == word


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_no_error_of_ours_is_told_as_a_fault_of_the_server(kind: type[SwitchyardError]) -> None:
    for wire in (OLDER, WIRE):
        assert kind in wire.statuses
        status = wire.status_of(kind)
        assert 400 <= status < 500 or (kind in (StorageFull, StorageUnavailable) and status in (503, 507))
