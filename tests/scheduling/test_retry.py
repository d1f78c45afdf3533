"""Retry decisions: which failures, how often, and after which wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.retry import ExitClass, Failure, GiveUp, Retry, decide
from switchyard.scheduling.spec import Backoff, RetryOn, RetryRule

FAILED = Failure(ExitClass.USER_ERROR, exit_code=1)
STEADY = Backoff(initial=1, factor=2, max=60, jitter=0)


def decision(rule: RetryRule, failure: Failure = FAILED, *, failures: int = 1, task: int = 0, seed: int = 7) -> object:
    return decide(rule, failure, failures=failures, task=task, seed=seed)


def test_default_rule_gives_up_at_the_first_failure() -> None:
    assert decision(RetryRule()) == GiveUp("1 of 1 attempts failed")


def test_attempts_count_all_attempts_not_the_retries() -> None:
    rule = RetryRule(attempts=3, backoff=STEADY)
    assert [type(decision(rule, failures=count)) for count in (1, 2, 3)] == [Retry, Retry, GiveUp]


def test_waits_grow_by_the_factor_up_to_the_maximum() -> None:
    rule = RetryRule(attempts=100, backoff=STEADY)
    waits = [decision(rule, failures=count) for count in (1, 2, 3, 6, 7, 50)]
    assert waits == [Retry(1), Retry(2), Retry(4), Retry(32), Retry(60), Retry(60)]


def test_growth_past_any_float_is_the_maximum() -> None:
    rule = RetryRule(attempts=1_000, backoff=Backoff(initial=1, factor=100, max=60, jitter=0))
    assert decision(rule, failures=999) == Retry(60)


@given(st.integers(), st.integers(0, 10**6), st.integers(1, 9), st.floats(0, 1))
def test_jitter_stays_in_its_share_and_repeats(seed: int, task: int, failures: int, jitter: float) -> None:
    rule = RetryRule(attempts=10, backoff=Backoff(initial=1, factor=2, max=1_000, jitter=jitter))
    first = decide(rule, FAILED, failures=failures, task=task, seed=seed)
    assert isinstance(first, Retry)
    assert first == decide(rule, FAILED, failures=failures, task=task, seed=seed)
    assert abs(first.delay / 2 ** (failures - 1) - 1) <= jitter + 1e-9


def test_jitter_spreads_the_tasks_of_a_stage() -> None:
    rule = RetryRule(attempts=2, backoff=Backoff(initial=10, jitter=0.5))
    waits = [decide(rule, FAILED, failures=1, task=task, seed=1) for task in range(1_000)]
    delays = [wait.delay for wait in waits if isinstance(wait, Retry)]
    assert len(set(delays)) == 1_000
    assert min(delays) < 5.5
    assert max(delays) > 14.5


@pytest.mark.parametrize(
    ("on", "failure", "retried"),
    [
        (RetryOn(exit_codes=(75,)), Failure(ExitClass.USER_ERROR, exit_code=75), True),
        (RetryOn(exit_codes=(75,)), Failure(ExitClass.USER_ERROR, exit_code=1), False),
        (RetryOn(exit_codes=(-9,)), Failure(ExitClass.KILLED, exit_code=-9), True),
        (
            RetryOn(exceptions=("OSError",)),
            Failure(ExitClass.USER_ERROR, exceptions=("builtins.OSError",)),
            True,
        ),
        (
            RetryOn(exceptions=("builtins.OSError",)),
            Failure(ExitClass.USER_ERROR, exceptions=("builtins.OSError",)),
            True,
        ),
        (
            RetryOn(exceptions=("OSError",)),
            Failure(ExitClass.USER_ERROR, exceptions=("app.MyOSError",)),
            False,
        ),
        (
            RetryOn(exceptions=("OSError",)),
            Failure(ExitClass.USER_ERROR, exceptions=("app.Cut", "builtins.OSError")),
            True,
        ),
        (RetryOn(exceptions=("OSError",)), Failure(ExitClass.TIMEOUT), False),
        (RetryOn(), Failure(ExitClass.USER_ERROR, exit_code=1), False),
        (None, Failure(ExitClass.TIMEOUT), True),
        (None, Failure(ExitClass.OUT_OF_MEMORY), True),
    ],
)
def test_rule_retries_only_the_failures_it_names(on: RetryOn | None, failure: Failure, retried: bool) -> None:
    rule = RetryRule(attempts=5, on=on)
    assert isinstance(decision(rule, failure), Retry) is retried


def test_lost_attempt_is_never_the_users_failure() -> None:
    lost = Failure(ExitClass.LOST)
    assert decision(RetryRule(on=RetryOn(exit_codes=(1,))), lost, failures=9) == Retry(0.0)


def test_callable_that_cannot_be_loaded_is_not_tried_again() -> None:
    assert isinstance(decision(RetryRule(attempts=10), Failure(ExitClass.UNLOADABLE)), GiveUp)
    assert isinstance(decision(RetryRule(attempts=10), Failure(ExitClass.ENVIRONMENT)), GiveUp)
