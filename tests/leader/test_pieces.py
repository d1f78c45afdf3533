"""A report is taken apart without loss, and an end that cannot be recorded becomes a failure."""

from typing import Any

from switchyard.leader.pieces import LOST_END, failed, limited, pieces
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update


def report() -> Report:
    whole = Report(1, "s", 7, [3], 2, 1000)
    for stage in (1, 2):
        group = Finished(stage, 0)
        group.add(0, 10, 20, "1", 5, None)
        group.add(1, 11, 21, "2", 0, '{"m":1}')
        whole.finished.append(group)
        whole.others.append(End(stage, 1, 2, 5, 9, Outcome.FAILED))
        whole.starts.append(Started(stage, 0, [3], [12]))
        whole.returns.append(Returned(stage, 0, [[4, 6]]))
        whole.updates.append(Update(stage, 0, 3, {}))
    return whole


def contents(parts: list[Report]) -> list[Any]:
    """Return all that reports tell, one thing after the other."""
    ends = [[g.stage, g.attempt, *end] for part in parts for g in part.finished for end in g.ends()]
    return ends + [
        each for part in parts for kind in ("others", "starts", "returns", "updates") for each in getattr(part, kind)
    ]


def test_pieces_tell_one_thing_each_and_all_that_the_report_told() -> None:
    whole, parts = report(), list(pieces(report()))
    assert [len(contents([part])) for part in parts] == [1] * 12
    told, expected = contents(parts), contents([whole])
    assert sorted(map(repr, told)) == sorted(map(repr, expected))
    assert {(part.node, part.session, part.number, part.sent) for part in parts} == {(1, "s", 7, 1000)}


def test_a_report_limited_to_stages_tells_of_no_other() -> None:
    one, other = (contents([limited(report(), {stage})]) for stage in (1, 2))
    assert len(one) == len(other) == 6
    assert sorted(map(repr, one + other)) == sorted(map(repr, contents([report()])))
    assert contents([limited(report(), set())]) == []


def test_an_end_that_cannot_be_recorded_is_a_failure_that_says_so() -> None:
    ends = [failed(part) for part in pieces(report()) if part.finished or part.others]
    others = [end for each in ends for end in each.others]
    assert {(end.stage, end.index) for end in others} == {(stage, index) for stage in (1, 2) for index in range(3)}
    assert {(end.outcome, end.error) for end in others} == {("FAILED", LOST_END)}
    rest = [failed(part) for part in pieces(report()) if not (part.finished or part.others)]
    assert contents(rest) == []
