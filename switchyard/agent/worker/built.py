"""Environments as tasks see them: their programs, and what their builds tell. Runs in workers."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from switchyard.agent.core.logs import kept
from switchyard.agent.worker.failures import Failure
from switchyard.agent.worker.given import Given
from switchyard.task import Task

#: Bytes of a build's log that are kept in the log of a task.
KEPT = 1 << 20


class Built:
    """A stage whose first task tells of the build of its environment: what this wrote, or that there is no environment."""

    def __init__(self, stage: Any, told: dict[str, Any], stderr: int) -> None:
        self.given: Given = stage.given
        self.job: str = stage.job
        self._stage = stage
        self._log: str = told["log"]
        self._failure: dict[str, Any] | None = told.get("failure")
        self._stderr = stderr

    def run(self, task: Task) -> str | Failure:
        """Run one task; return its result as JSON text, or why there is none."""
        if self._log:
            self._tell()
        if self._failure:
            failure = self._failure
            return Failure(failure["class"], failure["error"], fault=failure["fault"], unfit=failure["unfit"])
        ended: str | Failure = self._stage.run(task)
        return ended

    def _tell(self) -> None:
        with suppress(OSError):
            rest = _kept(Path(self._log))
            while rest:
                rest = rest[os.write(self._stderr, rest) :]
        self._log = ""


def within(env: Mapping[str, str], home: str) -> dict[str, str]:
    """Return environment variables with which programs find those of an environment first; without one, as they are."""
    if not home:
        return dict(env)
    return {**env, "VIRTUAL_ENV": home, "PATH": os.pathsep.join(filter(None, [f"{home}/bin", env.get("PATH", "")]))}


def _kept(log: Path) -> bytes:
    """Return what a file holds, without the middle of a long one."""
    with log.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head, gap, tail = kept(size, KEPT)
        return file.read(head) + gap + os.pread(file.fileno(), tail, size - tail)
