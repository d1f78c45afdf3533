"""docs/wires.md tells of every wire, every route and every word."""

import re
from pathlib import Path

import pytest

from scheduling.lifecycle import JobState, TaskState
from tests.access.routes import Route
from tests.wires.speakers import OF_JOBS, SPEAKERS, JobSpeaker
from tests.wires.test_manners import OF_WIRES
from wires.registry import wires

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wires.md").read_text()
#: The routes that it names, with whatever it calls their parts.
NAMED = {re.sub(r"\{\w+\}", "{}", path).rstrip("/") for path in re.findall(r"`(?:[A-Z]+ )?(/[^` ]*)`", DOCUMENT)}


@pytest.mark.parametrize("route", OF_WIRES, ids=lambda route: route.pattern)
def test_every_route_is_told(route: Route) -> None:
    assert re.sub(r"\{\w+\}", "{}", route.pattern) in NAMED


@pytest.mark.parametrize("speaker", OF_JOBS, ids=lambda speaker: speaker.name)
def test_every_word_of_a_job_is_told(speaker: JobSpeaker) -> None:
    section = DOCUMENT.lower().partition(f"\n## {speaker.name}")[2].partition("\n## ")[0]
    for state in (*JobState, *TaskState):
        assert state.name.lower() in section
    for word in speaker.words.values():
        assert f"`{word.lower()}" in section


def test_every_wire_is_spoken_to_by_the_tests_that_all_share() -> None:
    assert {wire.name for wire in wires()} == {speaker.name for speaker in SPEAKERS}
