"""docs/wires.md tells of every wire, every route and every word."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.access.routes import Route
from tests.wires.speakers import OF_JOBS, SPEAKERS, JobSpeaker, Speaker
from tests.wires.test_manners import OF_WIRES
from wires.registry import wires

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wires.md").read_text()
#: Told beside Ballista's, for its clients ask for them.
OURS = {"/healthz", "/readyz"}


def section(name: str) -> str:
    """Return what the document tells of a wire."""
    return DOCUMENT.partition(f"\n## {name.title()}\n")[2].partition("\n## ")[0]


def told(name: str) -> dict[str, set[str]]:
    """Return the routes in the first table of a wire, with their verbs; whatever their parts are called."""
    found: dict[str, set[str]] = defaultdict(set)
    before: list[str] = []
    for row in re.findall(r"(?m)^\|.*\|$", section(name).partition("\n\n###")[0])[2:]:
        cell, *rest = row.strip("|").split(" | ")
        assert len(rest) == 2, row
        assert all(part.strip() for part in rest), row
        before = _read(cell, before, found)
    return found


def _read(cell: str, before: list[str], found: dict[str, set[str]]) -> list[str]:
    """Add what a cell names: verbs that wait for a path, verbs with one, more paths; without any those of the row above."""
    waiting: list[str] = []
    verbs: list[str] = []
    paths: list[str] = []
    for verb, path in re.findall(r"`([A-Z]+)? ?(/[^` ]*)?`", cell):
        waiting += [verb] if verb else []
        if path:
            verbs, waiting = waiting or verbs, []
            paths.append(_plain(path))
            found[paths[-1]] |= set(verbs)
    for path in () if paths else before:
        found[path] |= set(waiting)
    return paths or before


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path).rstrip("/")


@pytest.mark.parametrize("route", OF_WIRES, ids=lambda route: route.pattern)
def test_every_route_is_told_with_its_verbs_in_the_table_of_its_wire(route: Route) -> None:
    view = route.view.view_class  # type: ignore[attr-defined]
    assert told(view.wire.name)[_plain(route.pattern)] == set(route.methods)


@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
def test_no_route_is_told_that_is_not_there(speaker: Speaker) -> None:
    served = {
        _plain(route.pattern)
        for route in OF_WIRES
        if route.view.view_class.wire.name == speaker.name  # type: ignore[attr-defined]
    }
    assert set(told(speaker.name)) - OURS == served


@pytest.mark.parametrize("speaker", OF_JOBS, ids=lambda speaker: speaker.name)
def test_every_word_of_a_job_is_told(speaker: JobSpeaker) -> None:
    text = section(speaker.name).lower()
    for state in (*JobState, *TaskState):
        assert state.name.lower() in text
    for word in speaker.words.values():
        assert f"`{word.lower()}" in text


def test_every_wire_is_spoken_to_by_the_tests_that_all_share() -> None:
    assert {wire.name for wire in wires()} == {speaker.name for speaker in SPEAKERS}
