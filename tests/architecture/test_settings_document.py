"""docs/operating.md tells of every setting: each name that Django's settings look for in the environment is there."""

import os
import re
import runpy
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import environ
import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "operating.md").read_text()


class Watched(MutableMapping[str, str]):
    """The environment, which notes the names that it is asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return os.environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        raise AssertionError("settings are read, never written")

    __delitem__ = __setitem__  # type: ignore[assignment]

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    watched = Watched()
    monkeypatch.setattr(environ.Env, "ENVIRON", watched)
    runpy.run_path(str(ROOT / "scheduler_project" / "settings.py"))
    return watched.asked


def test_every_setting_is_documented(asked: set[str]) -> None:
    assert len(asked) > 20
    assert {name for name in asked if f"`{name}`" not in DOCUMENT} == set()


def test_every_documented_setting_of_the_servers_is_read(asked: set[str]) -> None:
    section = DOCUMENT.partition("## Settings of the servers")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) <= asked
