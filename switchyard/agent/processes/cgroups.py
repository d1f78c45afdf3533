"""Control groups: one of the kernel's own for each worker, where the agent may make them. Pure file work.

A worker joins its group when it is forked, so that all it ever starts is in it too. Where nothing is delegated there are
no groups, and agent.core.monitor looks at what processes have resident. Which files there are is told in the kernel's
admin-guide: cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: MiB that a worker takes itself, at the least; beyond that it is seen what it has.
OWN = 32
#: Processes and threads that a worker may have, where that can be bounded: what a fork bomb gets.
PROCESSES = 4096
MOVE = "cgroup.procs"
CONTROL = "cgroup.subtree_control"


@dataclass(frozen=True, slots=True)
class Version:
    """What one version calls what is used of it.

    `own` is the line of memory.stat with the bytes that cannot be taken back, `given` what every group gets where the file
    is there. With `alone`, a group that has groups has no processes, and those have the controllers that are enabled above
    them: those `needed`, and those `wanted` if they are there.
    """

    name: str
    limit: str
    endless: str
    kills: str
    own: str
    given: Mapping[str, str]
    alone: bool = False
    needed: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


V1 = Version("cgroup v1", "memory.limit_in_bytes", "-1", "memory.oom_control", "rss", {"memory.swappiness": "0"})
V2 = Version(
    "cgroup v2", "memory.max", "max", "memory.events", "anon",
    {"memory.swap.max": "0", "pids.max": str(PROCESSES)}, True, ("memory",), ("pids",),
)  # fmt: skip


@dataclass(slots=True)
class Group:
    """The group of one worker."""

    folder: Path
    version: Version
    _kills: int = 0

    def bound(self, mem: int) -> None:
        """Let its processes have so many MiB beside what the worker itself takes; 0 for as much as there is."""
        version = self.version
        limit = str((mem + max(OWN, self._own())) << 20) if mem else version.endless
        (self.folder / version.limit).write_text(limit)

    def killed(self) -> bool:
        """Say whether the kernel has ended a process of it for want of memory since this was asked last."""
        before, self._kills = self._kills, _counted(self.folder / self.version.kills, "oom_kill")
        return self._kills > before

    def remove(self) -> bool:
        """Remove it, and say whether it is gone: what is left in it is killed, and may take a moment to end."""
        try:
            self.folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            _kill_all(self.folder)
            return False
        return True

    def _own(self) -> int:
        return _counted(self.folder / "memory.stat", self.version.own) >> 20


@dataclass(slots=True)
class Groups:
    """The groups of one agent, all in the folder `base`; `name` tells them from those of another agent."""

    base: Path
    version: Version
    name: str
    _ending: list[Group] = field(default_factory=list)

    def enter(self) -> None:
        """Get ready to make groups. Raises OSError where that cannot be.

        Where it must be, the agent moves into a group beside those of its workers, if it has its own to itself.
        """
        sweep(self.prefix)
        if self.version.alone:
            self._move_into_leaf()
        Group(self._make("probe"), self.version).bound(0)
        self._folder("probe").rmdir()

    def leave(self) -> None:
        """Go back to where the agent was before."""
        sweep(self.prefix)
        if not self._leaf.exists():
            return
        with suppress(OSError):
            _control(self.base, "-", self._controllers())
            (self.base / MOVE).write_text("0")
            self._leaf.rmdir()

    def make(self, guardian: int, number: int) -> Group | None:
        """Make the group of a worker; its name tells the guardian that removes it if the agent cannot. None: no room."""
        self._retry()
        try:
            return Group(self._make(f"{guardian}-{number}"), self.version)
        except OSError:
            return None

    def remove(self, group: Group) -> None:
        """Remove a group whose worker has ended, and those that could not be before."""
        self._ending.append(group)
        self._retry()

    @property
    def prefix(self) -> str:
        """How the paths of all its groups of workers begin."""
        return str(self._folder(""))

    @property
    def _leaf(self) -> Path:
        return self.base / f"{self.name}.agent"

    def _folder(self, which: str) -> Path:
        return self.base / f"{self.name}.worker-{which}"

    def _retry(self) -> None:
        self._ending = [group for group in self._ending if not group.remove()]

    def _make(self, which: str) -> Path:
        folder = self._folder(which)
        folder.mkdir()
        for file, value in self.version.given.items():
            if (folder / file).exists():
                (folder / file).write_text(value)
        return folder

    def _move_into_leaf(self) -> None:
        here = self._leaf if self._leaf.exists() and _processes(self._leaf) else self.base
        if _processes(here) != [os.getpid()]:
            raise OSError("other processes are in the agent's control group")
        self._leaf.mkdir(exist_ok=True)
        (self._leaf / MOVE).write_text("0")
        _control(self.base, "+", self._controllers())

    def _controllers(self) -> list[str]:
        there = (self.base / "cgroup.controllers").read_text().split()
        return [name for name in self.version.needed + self.version.wanted if name in there]


def find(name: str) -> Groups | None:
    """Return where groups may be made for the workers of the agent of this name; None where nothing is delegated."""
    for version, base in _own_folders():
        groups = Groups(base.parent if base.name == f"{name}.agent" else base, version, name)
        try:
            groups.enter()
        except OSError:
            groups.leave()
        else:
            return groups
    return None


def sweep(prefix: str) -> None:
    """Remove the groups whose paths begin like this, with what is in them."""
    path = Path(prefix)
    for _ in range(100):
        left = [Group(folder, V2) for folder in path.parent.glob(f"{path.name}*")]
        left = [group for group in left if not group.remove()]
        if not left:
            return
        time.sleep(0.005)


def join(folder: str) -> None:
    """Put this process into a group."""
    Path(folder, MOVE).write_text("0")


def _own_folders() -> Iterator[tuple[Version, Path]]:
    """Yield the folder of this process's group in the hierarchies that can bound memory, version 2 first."""
    with suppress(OSError):
        own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for version in (V2, V1):
            for _, controllers, path in own:
                if controllers == "" if version is V2 else "memory" in controllers.split(","):
                    yield from ((version, folder) for folder in _places(mounts, version, path))


def _places(mounts: Iterable[list[str]], version: Version, path: str) -> Iterator[Path]:
    for mount in mounts:
        kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
        if kind == "cgroup2" if version is V2 else kind == "cgroup" and "memory" in options:
            inside = os.path.relpath(path, mount[3])
            if not inside.startswith(".."):
                yield Path(mount[4]) / inside


def _control(base: Path, sign: str, controllers: Iterable[str]) -> None:
    for controller in controllers:
        (base / CONTROL).write_text(sign + controller)


def _processes(folder: Path) -> list[int]:
    return [int(line) for line in (folder / MOVE).read_text().split()]


def _kill_all(folder: Path) -> None:
    with suppress(OSError):
        for process in _processes(folder):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _counted(file: Path, name: str) -> int:
    """Return the number that a line of a file gives to a name; 0 if there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
