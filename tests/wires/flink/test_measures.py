"""What Flink's clients read that is computed from neutral facts: sums, last modifications, texts of failures."""

import pytest

from jobs.reading.attempts import Failure
from jobs.reading.counts import Tally
from jobs.reading.progress import Flow
from switchyard.scheduling.lifecycle.states import JobState
from wires.flink.encode import failures
from wires.flink.encode.measures import LARGEST, last_modification, sums


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (Flow(4, 0), (4, True)),
        (Flow(-1, 1), (0, False)),
        (Flow(10**30, 1), (LARGEST, False)),
        (Flow(0, 2), (0, False)),
    ],
)
def test_sums_stay_within_64_bits_and_are_complete_if_every_task_that_runs_has_reported(
    flow: Flow, told: tuple[int, bool]
) -> None:
    assert sums([flow]) == [told]


@pytest.mark.parametrize(
    ("started", "ended", "stage_changed", "last"), [(None, None, None, 1), (2, None, None, 2), (2, None, 5, 5), (2, 9, 5, 9)]
)
def test_a_job_is_modified_when_it_or_a_stage_begins_or_ends(
    started: int | None, ended: int | None, stage_changed: int | None, last: int
) -> None:
    job = Tally("", 1, "", JobState.RUNNING, "", 1, started, ended, stage_changed, ())
    assert last_modification(job) == last


@pytest.mark.parametrize(("error", "text"), [("", "user_error"), ("ValueError: no", "ValueError: no")])
def test_a_failure_without_an_error_shows_its_exit_class(error: str, text: str) -> None:
    job = Tally("", 1, "", JobState.FAILED, "x", 1, 1, 2, 2, ())
    (shown,) = failures.exceptions(job, None, [Failure("a", 1, 0, None, 3, error, "user_error")], {})["all-exceptions"]
    assert shown["exception"] == text
