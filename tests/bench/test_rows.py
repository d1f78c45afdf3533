"""A row tells what was measured and whether that is enough."""

from typing import Any

from bench.rows import Measured, Target, row, unavailable

FAST = Target("per_s", "at least", 1000)


def made(measured: Measured, reference: float | None = 500.0) -> dict[str, Any]:
    return row("fanout", measured, agents=1, reference=reference, dead_rows=7)


def test_a_row_compares_with_the_reference() -> None:
    assert made(Measured(10_000, 4.0, [FAST]))["ratio"] == 5.0


def test_a_row_without_a_reference_has_no_ratio() -> None:
    assert made(Measured(10_000, 4.0, [FAST]), reference=None)["ratio"] is None


def test_a_target_is_met_at_its_bound_and_missed_below() -> None:
    assert made(Measured(1000, 1.0, [FAST]))["met"] is True
    assert made(Measured(999, 1.0, [FAST]))["met"] is False


def test_a_figure_that_is_not_there_misses_its_target() -> None:
    assert made(Measured(10_000, 1.0, [Target("p95_ms", "at most", 100)]))["met"] is False


def test_a_time_is_bounded_by_that_of_the_reference() -> None:
    hop = Target("hop_ms", "at most", 0.35, as_ratio=True)
    fast, slow = (made(Measured(200, 0.2, [hop], {"hop_ms": ms})) for ms in (0.7, 0.72))
    assert (fast["hop_ms_ratio"], fast["met"], fast["target"]) == (0.35, True, "hop_ms_ratio at most 0.35")
    assert (slow["hop_ms_ratio"], slow["met"]) == (0.36, False)
    assert made(Measured(200, 0.2, [Target("seconds", "at most", 100, as_ratio=True)]))["seconds_ratio"] == 100


def test_a_time_that_cannot_be_compared_misses_its_target() -> None:
    assert made(Measured(1, 1.0, [Target("seconds", "at most", 1, as_ratio=True)]), reference=None)["met"] is False


def test_a_fast_run_with_problems_is_not_good_enough() -> None:
    missed = made(Measured(10_000, 1.0, [FAST], problems=["all[1] of job x gave 2"]))
    assert missed["met"] is False
    assert missed["problems"] == ["all[1] of job x gave 2", "1 in all"]


def test_what_could_not_be_measured_is_not_met() -> None:
    assert unavailable("commands", agents=1, reason="late")["met"] is False
