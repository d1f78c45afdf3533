"""Explain: what people are told when they ask why a stage does not run."""

from datetime import UTC, datetime, timedelta

import pytest

from switchyard.scheduling.explain import Facts, explain
from switchyard.scheduling.refusals import Reason, Refusal, Why

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def test_reasons_come_in_the_order_in_which_they_must_go_away() -> None:
    facts = Facts(
        job_type="render",
        scheduler_paused="upgrade",
        job_type_paused="",
        job_type_limit=2,
        job_held="its callable does not import.",
        waits_for=("split", "load"),
        retry_at=NOW + timedelta(seconds=12),
        jobs_ahead=3,
        refusal=Refusal((Reason(Why.SHORT, 4, "cpus"),)),
    )
    assert explain(facts, now=NOW) == [
        "The scheduler is paused: upgrade.",
        "The job type render is paused.",
        "The job is held: its callable does not import.",
        "The job type render may run 2 jobs at once, and does.",
        "It needs the results of stages split, load.",
        "The next attempt is due in 12 s.",
        "4 nodes have not enough free cpus.",
        "3 jobs of its pool are served before it.",
    ]


def test_stage_that_nothing_keeps_back_is_about_to_be_placed() -> None:
    assert explain(Facts(job_type="render"), now=NOW) == ["Nothing keeps it from running: it is placed in the next round."]


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    facts = Facts(job_type="render", waits_for=("split",), jobs_ahead=1, job_type_limit=1)
    assert explain(facts, now=NOW) == [
        "The job type render may run 1 job at once, and does.",
        "It needs the results of stage split.",
        "1 job of its pool is served before it.",
    ]


def test_what_no_node_could_run_waits_for_no_other_job() -> None:
    refusal = Refusal((Reason(Why.TOO_SMALL, 4, "cpus"),), infeasible=True)
    reasons = explain(Facts(job_type="render", jobs_ahead=3, refusal=refusal), now=NOW)
    assert not any("served before" in reason for reason in reasons)


def test_many_needed_stages_are_not_all_named() -> None:
    facts = Facts(job_type="render", waits_for=tuple("abcdefg"))
    assert explain(facts, now=NOW) == ["It needs the results of stages a, b, c, d, e and 2 more."]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_time_to_the_next_attempt_is_readable(seconds: float, words: str) -> None:
    facts = Facts(job_type="render", retry_at=NOW + timedelta(seconds=seconds))
    assert explain(facts, now=NOW) == [f"The next attempt is due in {words}."]


@pytest.mark.parametrize(
    ("members", "words"), [(1, "1 member is still being ended"), (1200, "1,200 members are still being ended")]
)
def test_gang_whose_others_are_being_ended_is_tried_again_as_a_whole(members: int, words: str) -> None:
    facts = Facts(job_type="render", gang_ending=members)
    assert explain(facts, now=NOW) == [
        f"A member of the gang did not go on, so that all are tried again together; {words} for that."
    ]


def test_attempt_that_is_due_is_no_reason_to_wait() -> None:
    (said,) = explain(Facts(job_type="render", retry_at=NOW), now=NOW)
    assert said.startswith("Nothing")
