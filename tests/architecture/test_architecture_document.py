"""ARCHITECTURE.md says what the code says: its diagrams are the tables, and what it names exists."""

import importlib
import re
from pathlib import Path

import pytest

from switchyard.scheduling.lifecycle.states import JOB_ENDS, JOB_TRANSITIONS, TASK_ENDS, TASK_TRANSITIONS, diagram

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "ARCHITECTURE.md").read_text()
NAMES = sorted(set(re.findall(r"`((?:jobs|switchyard|nodes)(?:\.\w+)+)`", DOCUMENT)))


def test_the_state_diagrams_are_those_of_the_tables() -> None:
    assert diagram(TASK_TRANSITIONS, TASK_ENDS) in DOCUMENT
    assert diagram(JOB_TRANSITIONS, JOB_ENDS) in DOCUMENT


@pytest.mark.parametrize("name", NAMES)
def test_what_it_names_exists(name: str) -> None:
    package, *parts = name.split(".")
    found = importlib.import_module(package)
    for part in parts:
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)


def test_every_room_of_jobs_is_listed_and_is_there() -> None:
    listed = set(re.findall(r"^\|.*?`(\w+)/`", DOCUMENT.partition("## The main path")[0], re.M))
    listed |= set(re.findall(r"`(\w+)/`", next(line for line in DOCUMENT.splitlines() if line.startswith("| `api/`"))))
    rooms = {path.parent.name for path in (ROOT / "jobs").glob("*/__init__.py")} - {"migrations"}
    assert listed == rooms
