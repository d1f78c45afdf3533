"""The files of other stages that tasks are handed: a folder of links for each task. Runs in workers.

The agent keeps them by producer, output and task, as fetched; a task is given those of its share and may not see others.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: The files of one stage by output, in the order of tasks and of their names.
ByOutput = dict[str, list[Path]]


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a stage whose files a task is handed: its outputs, and the tasks."""

    stage: int
    outputs: Iterable[str]
    tasks: Iterable[int]


def lay_out(source: Path, folder: Path, shares: Mapping[str, Share]) -> dict[str, ByOutput]:
    """Fill a new folder as <stage>/<output>/<task>/<file>, by the shares of stages by their names."""
    remove(folder)
    folder.mkdir()
    given: dict[str, ByOutput] = {}
    for name, share in shares.items():
        given[name] = {}
        for output in share.outputs:
            kept, own = source / str(share.stage) / output, folder / name / output
            own.mkdir(parents=True)
            given[name][output] = [file for index in share.tasks for file in _link(kept / str(index), own / str(index))]
    for top, _, _ in os.walk(folder, topdown=False):
        os.chmod(top, 0o555)  # noqa: PTH101
    return given


def remove(folder: Path) -> None:
    """Remove such a folder, whatever a task has made of it."""
    for top, _, _ in os.walk(folder):
        os.chmod(top, stat.S_IRWXU)  # noqa: PTH101
    shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, folder: Path) -> list[Path]:
    found = []
    for top, _, names in os.walk(source):
        into = folder / Path(top).relative_to(source)
        into.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.link(f"{top}/{name}", into / name)
            found.append(into / name)
    return sorted(found)
