"""Values of users stay exact where jobs are copied: a retry has the results, items and settings of the old job."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from database import rows
from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn

TEXT = '{"z": 6.02e23, "a": -0.0, "n": [9007199254740993, 18446744073709551617, 1e22], "b": {"y": 1, "x": 2}}'


@pytest.mark.parametrize("pad", [0, 20_000], ids=["short", "long"])
def test_a_retry_has_the_values_of_the_old_job(leader: Leader, agent: ListAgent, job: Callable[..., Job], pad: int) -> None:
    value: dict[str, Any] = json.loads(TEXT) | {"pad": "x" * pad}
    stages = {
        "list": {"args": [value]},
        "each": {"foreach": {"from": "list"}, "kwargs": {"value": value}},
        "fixed": {"foreach": [value], "needs": ["each"]},
    }
    made = job(stages, config={"value": value}, max_failures=0)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), json.dumps([value, value])))
    agent.listen()
    first, second, *_ = agent.tasks()
    turn(leader, agent.finish([first], TEXT), agent.fail([second]))
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    made.refresh_from_db()
    assert made.state == JobState.FAILED
    again = Job.objects.get(id=submissions.retry(made.id))
    assert stored(again) == stored(made)
    assert repr(control.stored_spec(again)) == repr(control.stored_spec(made))
    assert {text for name, text in stored(again) if name == "each"} == {TEXT, json.dumps([value, value])}


def stored(job: Job) -> list[tuple[str, str]]:
    """Return the texts of a job's results and items, with the names of their stages."""
    found = rows.fetch(
        """SELECT s.name, t.result::text FROM jobs_stage s JOIN jobs_task t ON t.stage_id = s.id
        WHERE s.job_id = %(job)s AND t.result IS NOT NULL UNION ALL
        SELECT s.name, i.items::text FROM jobs_stage s JOIN jobs_items i ON i.stage_id = s.id WHERE s.job_id = %(job)s""",
        {"job": job.id},
    )
    return sorted(found)
