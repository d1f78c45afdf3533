"""Reports as messages: they arrive as they were sent, and what is none costs itself alone."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from jobs import tasks
from jobs.inbox import inbox
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from jobs.store.columns import declared
from switchyard.messaging import encoding
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.retry import ExitClass
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
FULL = End(
    1, 2, 3, 4, 5, Outcome.FAILED, '"text"', "f" * 64, 6, ExitClass.TIMEOUT, 7, ("builtins.OSError",), "\ud800 half", "why",
    {"rows": 3, "loss": 0.5, "much": 6.02e23}, {"n": {"kind": "sum", "value": -0.0}}, {"stdout": {"bytes": 1, "dropped": 0}},
)  # fmt: skip
#: What names an end, and what decides about its task, but is not recorded as it is.
USED = {"stage", "attempt", "index", "begun", "ended", "outcome", "exceptions", "unfit"}


def sent() -> Report:
    group = Finished(1, 0)
    group.add(0, 10, 20, "1", 0, None)
    group.add(1, 10, 20, "[1.0]", 5, '{"rows": 1}')
    updates = [Update(1, 0, 5, {"rows": 1}), Update(1, 0, 5, None, {"sum": 1})]
    others, starts, returns = [FULL, End(1, 0, 4)], [Started(1, 0, [5], [10])], [Returned(1, 0, [[6, 9]])]
    return Report(1, "session", 7, [1, 2], 3, 100, [group], others, starts, returns, updates)


def arrive(data: dict[str, Any]) -> None:
    tasks.report(encoding.encode(data))


def test_a_report_arrives_as_it_was_sent() -> None:
    assert Report.decode(encoding.decode(encoding.encode(sent().encode()))) == sent()
    assert Report.decode(json.loads(json.dumps(sent().encode()))) == sent()


def test_each_field_of_an_end_is_recorded_or_decides() -> None:
    reported = {name for name, how in declared(Task).items() if how.reported}
    assert reported | USED == set(End.__struct_fields__)
    assert not reported & USED


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("others", [1, 0, "three"]),
        ("others", [1, 0, 3, 4, 5, "SUSPENDED"]),
        ("others", [1, 0, 3, 4, 5, "FAILED", None, None, 0, "no class"]),
        ("others", {"stage": 1}),
        ("finished", [1, 0, [1], ["when"]]),
        ("starts", [1, 0, 5, 10]),
        ("returns", [1]),
        ("updates", [1, 0, 0, "much"]),
    ],
)
def test_a_bad_part_is_refused_and_the_others_are_read(name: str, bad: Any) -> None:
    data = json.loads(json.dumps(sent().encode()))
    data[name].insert(0, bad)
    with capture_logs() as logs:
        arrive(data)
    arrived = inbox.get_nowait()
    assert [getattr(arrived, name) for name in Report.__slots__] == [getattr(sent(), name) for name in Report.__slots__]
    [line] = logs
    assert (line["event"], line["node"], line["number"]) == ("part of a report refused", 1, 7)
    assert line["reason"].startswith(f"{name}: Expected") or line["reason"].startswith(f"{name}: Invalid")


def test_what_is_no_report_is_refused_as_a_whole() -> None:
    bad: list[Any] = [{}, {**sent().encode(), "number": "next"}, []]
    for data in bad:
        with pytest.raises(msgspec.ValidationError):
            tasks.report(encoding.encode(data))
    assert inbox.empty()


def test_a_node_goes_on_after_a_bad_end(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = agent.tasks()
    report = agent.finish([first], "1").encode()
    arrive({**report, "others": [[*second, "soon"]]})
    leader.turn([inbox.get_nowait()])
    turn(leader, agent.finish([second], "2"))
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.FINISHED}
    agent.listen()
    assert agent.acknowledged == agent.number == 2
