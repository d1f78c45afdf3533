"""Checkpoints and saved states on the pages of a job and of its tasks."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from artifacts.storage import Storage
from jobs.leader.loop import Leader
from jobs.models import Job
from tests.jobs.agents import ListAgent
from tests.jobs.checkpointing import answer, ask, begin, end

Submit = Callable[..., Job]


@pytest.fixture(autouse=True)
def stored(kept: Storage) -> None:
    """Keep artifacts in a folder of the test's own."""


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def test_a_job_shows_its_checkpoints_once_it_has_any(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {"parallelism": 2}}, checkpoint={})
    page = f"/ui/jobs/{made.number}"
    tasks = begin(leader, agent)
    assert "Checkpoints" not in text(viewer, page)
    end(ask(made, tasks), "2 tasks have not answered within 2 s")
    assert "None is completed yet." in text(viewer, page)
    answer(agent, first := ask(made, tasks), tasks[:1], 2048)
    assert re.search(r"2 IN_PROGRESS +now +[\d.]+ m?s +2 KiB +1 of 2 ", text(viewer, page))
    end(first)
    shown = text(viewer, page)
    assert re.search(r"The latest completed one is 2, +now *: 2 KiB of 2 tasks\.", shown), shown
    assert "1 of 2 (1 had finished)" in shown
    assert "2 tasks have not answered within 2 s" in shown


def test_a_task_shows_that_a_state_of_it_is_saved(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {}}, checkpoint={})
    page = f"/ui/jobs/{made.number}/stages/a/tasks/0"
    tasks = begin(leader, agent)
    assert "Saved state" not in text(viewer, page)
    answer(agent, None, tasks, 2048)
    assert re.search(r"Saved state +2 KiB, +now ", text(viewer, page))
    answer(agent, first := ask(made, tasks), tasks, 10)
    end(first)
    assert re.search(r"Saved state +10 B, +now *, checkpoint 1 ", text(viewer, page))
