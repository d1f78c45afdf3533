"""Much at once: what tasks return and say of themselves, by the megabyte, keeps the leader from nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from database import requests, rows
from jobs.commands import control
from jobs.leader import watchdog
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from jobs.store import expansion, items
from switchyard.scheduling.lifecycle.states import JobState
from tests.holding import put
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
HANGS = """
import time
from jobs.leader import watchdog

def hang():
    while True:
        time.sleep(1)

watchdog.get_on("dance", [7])
watchdog.start(print, 0.5)
hang()
"""


def test_a_stage_runs_over_megabytes_of_items(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"list": {}, "each": {"foreach": {"from": "list"}}})
    turn(leader)
    agent.listen()
    urls = [f"https://example.org/{'x' * 50}/{number}" for number in range(40_000)]
    turn(leader, agent.finish(agent.tasks(), json.dumps(urls)))
    assert Task.objects.filter(stage__name="each").count() == len(urls)
    stage = Stage.objects.get(name="each").id
    assert max(len(part) for (part,) in rows.fetch("SELECT items::text FROM jobs_items")) <= items.PART
    assert items.read(stage, 0, len(urls)) == urls
    assert items.read(stage, 12_345, 23_456) == urls[12_345:23_456]
    assert items.read(stage, len(urls) - 1, len(urls) + 5) == urls[-1:]


def test_items_are_written_in_statements_of_bounded_size(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0
    execute = rows.execute

    def watched(statement: str, values: Any = ()) -> Any:
        nonlocal longest
        longest = max([longest, *(len(value) for value in values if isinstance(value, str))])
        return execute(statement, values)

    job({"list": {}, "each": {"foreach": {"from": "list"}}})
    turn(leader)
    agent.listen()
    texts = [f"{number}{'x' * 3_000}" for number in range(5_000)]
    digest = put(json.dumps(texts).encode())
    [task] = agent.tasks()
    monkeypatch.setattr(rows, "execute", watched)
    turn(leader, agent.report(others=[agent.end(task, outcome="FINISHED", result=None, result_digest=digest)]))
    assert Task.objects.filter(stage__name="each").count() == 5_000
    assert 0 < longest < 2 * items.PART * items.PARTS
    agent.forget([task])
    agent.listen()
    turn(leader)


@pytest.mark.parametrize("number", [1, 2, 3, 1000])
def test_items_are_divided_evenly_or_not(number: int) -> None:
    mixed = ["x" * (items.PART * 3 if index % 7 == 1 else index % 90) for index in range(number)]
    parts = list(items.divide(mixed))
    assert [item for _, _, text in parts for item in json.loads(text)] == mixed
    assert [low for low, _, _ in parts] == [0, *(high for _, high, _ in parts[:-1])]
    assert all(high - low == 1 or len(text) <= items.PART for low, high, text in parts)


def test_submitted_items_are_in_parts_where_they_are_long(job: Submit) -> None:
    for given in (["x"] * 10, [f"{number}" for number in range(100_000)]):
        submitted = job({"a": {"foreach": given}})
        stage = Stage.objects.get(job=submitted)
        assert (stage.items.count() >= 4) == (len(given) > 10)
        assert items.read(stage.id, 0, len(given)) == given
        assert control.stored_spec(submitted)["stages"][0]["foreach"] == given


def test_items_of_too_many_bytes_fail_the_job_by_name(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "ITEMS_BYTES", 1000)
    job({"list": {}, "each": {"foreach": {"from": "list"}}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), json.dumps(["x" * 100] * 10)))
    turn(leader)
    failed = Job.objects.get()
    assert failed.state == JobState.FAILED
    assert "what list returned" in failed.error


def test_tasks_that_all_say_much_are_written(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 70, "resources": {"cpus": 0.01}}})
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    assert len(tasks) == 70
    histogram = {"kind": "histogram", "value": {str(number): 1 for number in range(5_000)}}
    names = ("stage", "attempt", "index")
    said = {"metrics": None, "accumulators": {"h": histogram}}
    for _ in range(2):
        turn(leader, agent.report(updates=[dict(zip(names, task, strict=True)) | said for task in tasks]))
    assert Task.objects.filter(accumulators__h=histogram).count() == 70


def test_a_leader_that_does_not_get_on_is_ended() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == watchdog.EXIT_STATUS
    assert "in hang" in ended.stderr


@pytest.mark.django_db(transaction=True)
def test_requests_wait_for_no_row_for_ever() -> None:
    requests.limit()
    try:
        connection.close()
        assert rows.fetch("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')") == [("10s", "1min")]
    finally:
        connection_created.disconnect(dispatch_uid="limit requests")
        connection.close()
