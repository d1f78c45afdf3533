"""ARCHITECTURE.md says what the code says: its diagrams are the tables, and what it names exists."""

import importlib
import re
from pathlib import Path

import pytest

from switchyard.scheduling.lifecycle.states import JOB_ENDS, JOB_TRANSITIONS, TASK_ENDS, TASK_TRANSITIONS, diagram

DOCUMENT = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
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
