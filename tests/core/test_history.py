"""Journals: an agent reads what the one before it wrote, in all forms that an end has there."""

from typing import Any

from switchyard.agent.core import history
from switchyard.agent.core.ends import Written, noted, plain_end
from switchyard.agent.core.records import Status
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.retry import ExitClass

HEADER = {"node": 1, "session": "s", "highest": 3}
#: As the agent of before has noted it: with every name, whether or not there is something to say.
WHOLE = {
    "stage": 1, "attempt": 0, "index": 2, "begun": 5, "ended": 9, "outcome": "FAILED", "result": None, "result_digest": None,
    "inputs": 0, "class": "out_of_memory", "unfit": None, "exit_code": -9, "exceptions": [], "error": "no memory",
    "metrics": {"rows": 1}, "accumulators": None, "logs": {"stdout": {"bytes": 3, "dropped": 0}}, "fault": "",
}  # fmt: skip
WORKER = {
    "stage": 1, "attempt": 0, "index": 3, "begun": 5, "inputs": 8, "metrics": None, "accumulators": {"n": 1},
    "stdout": [0, 4], "stderr": [2, 2], "outcome": "FINISHED", "result": None, "result_digest": "f" * 64,
    "file": "results/f", "ended": 9,
}  # fmt: skip


def recovered(*lines: Any) -> history.Recovered:
    return history.read(
        [HEADER, *lines], {1: Status(2, 1, 0, 4, 6, 0, 0, 2)}, reported=0, folder="w", cap=9, size=lambda _: 0
    )


def test_ends_are_read_in_each_form() -> None:
    launched = {"launched": [1, 1, 1, 0, [[0, 5]]]}
    handed = {"handed": [1, 1, 0, [[3, 5]]]}
    rest = recovered(launched, handed, [1, 0, 0, 5, 9, "7", 0, '{"rows":1}'], WHOLE, WORKER).rest
    assert rest.returned == [(1, 0, 1)]
    plain, whole, stored, lost = (rest.ends[1, 0, index] for index in (0, 2, 3, 4))
    assert plain.reported() == End(1, 0, 0, 5, 9, Outcome.FINISHED, "7", metrics={"rows": 1})
    assert (whole.exit_class, whole.exit_code, whole.logs) == (ExitClass.OUT_OF_MEMORY, -9, WHOLE["logs"])
    assert (stored.file, stored.result_digest, stored.inputs) == ("results/f", "f" * 64, 8)
    assert stored.logs == {"stdout": {"bytes": 4, "dropped": 0}}
    assert (lost.exit_class, lost.outcome) == (ExitClass.LOST, Outcome.FAILED)


def test_an_end_is_read_as_it_was_noted() -> None:
    end = Written(1, 0, 2, 3, 4, error="it broke", exit_class=ExitClass.KILLED, file="f", stdout=(1, 2), exceptions=("a.B",))
    assert recovered(noted(end)).rest.ends[1, 0, 2].reported().error == "it broke"
    assert noted(end)["class"] == "killed"
    told = plain_end(1, 0, 2, 3, 4, "7")
    assert recovered(noted(told.reported())).rest.ends == {(1, 0, 2): told}
