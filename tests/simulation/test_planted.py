"""The simulation finds bugs: each of these patches breaks something that a run shows within 2,000 seeds."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = sorted((Path(__file__).parent / "planted").glob("*.toml"))
PACKAGES = ("switchyard",)
SEEDS = 2000


def plant(patch: Path, folder: Path) -> None:
    """Copy the sources, and change what a patch says, wherever that stands."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in tomllib.loads(patch.read_text())["edits"]:
        [file] = [path for path in folder.rglob("*.py") if edit["old"] in path.read_text()]
        text = file.read_text()
        assert text.count(edit["old"]) == 1
        file.write_text(text.replace(edit["old"], edit["new"]))


@pytest.mark.parametrize("patch", PLANTED, ids=lambda path: path.stem)
def test_a_planted_bug_is_found(patch: Path, tmp_path: Path) -> None:
    plant(patch, tmp_path)
    command = [sys.executable, "-m", "switchyard.simulation", "--seeds", str(SEEDS)]
    env = {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, f"not found in {SEEDS} seeds: {ran.stdout[-500:]}{ran.stderr[-2000:]}"
    assert re.search(r"seed \d+, digest \w+: (I\d|raised)", ran.stdout)


def test_eight_bugs_are_planted() -> None:
    assert len(PLANTED) >= 8
