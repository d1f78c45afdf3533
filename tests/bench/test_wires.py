"""The workload of readers, made small: every row is measured, and long lists cost what short ones do."""

import pytest

from bench import dataset, routes, statements, wires
from bench.host import running
from bench.installation import installed
from bench.rows import Measured, Target

pytestmark = pytest.mark.timeout(120)


def test_readers_are_measured_among_copies_of_jobs_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, sizes in (
        (dataset, {"JOBS": 20, "LIVE": 3, "LARGE": (30, 4), "SMALL": (4, 4)}),
        (wires, {"LIVE": 3, "SECONDS": 0.2, "READERS": 2, "REQUESTS": 3, "REPEATS": 5}),
    ):
        for name, value in sizes.items():
            monkeypatch.setattr(module, name, value)
    with running() as host, installed(host, agents=1, slots=2, given=statements.TOLD_OF) as installation:
        found = list(wires.wires(installation))
    assert len(found) == 2 + len(routes.PAGED) + len(routes.UNPAGED)
    assert all(each.reference for each in found)
    told = [each for each in found if "statements" in each.figures]
    assert len(told) == len(found) - 2
    dearer = [
        each.figures for each in told for target in each.targets if target.figure == "statements" and not met(target, each)
    ]
    assert dearer == []


def met(target: Target, measured: Measured) -> bool:
    return target.is_met(measured.figures)
