"""The data folder of an agent: its owner, and the files of a predecessor.

Two locks. The agent holds the first; the second it shares with the guardians, so that it is free only when all that
an agent ever started has ended.
"""

import fcntl
import os
import secrets
import shutil
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import structlog

from switchyard.agent.disk import cached
from switchyard.agent.disk.secret import Secret
from switchyard.agent.processes import trees
from switchyard.agent.worker.pipes import PROCESSES, PROCESSES_AT

log = structlog.get_logger()
#: The folder with environments.
ENVIRONMENTS = "environments"
#: Seconds that the processes of a predecessor are waited for.
WAIT = 60.0


class InUse(Exception):
    """Another agent uses the data folder."""


class Unusable(Exception):
    """The data folder cannot be made or locked."""


class Folder:
    """The folder, locked as long as this object lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._own = _open(path / "lock")
            #: The lock to be kept by what outlives the agent.
            self.tree = _open(path / "tree.lock")
        except OSError as error:
            raise Unusable(f"{path} cannot be used as the data folder (--data): {error.strerror}") from error
        if not _lock(self._own):
            raise InUse(f"an agent runs on {path} already (process {(path / 'lock').read_text().strip()})")
        with suppress(OSError):  # Nothing but a hint, and the disk may be full.
            os.truncate(self._own, 0)
            os.write(self._own, f"{os.getpid()}\n".encode())
        if _is_copy(path):
            log.warning("the data folder is a copy of another agent's, beginning anew", path=str(path))
            _forget(path)
        self.identity = _identity(path / "identity")
        self.secret = Secret(path / "secret")
        _note_place(path)

    @property
    def place(self) -> str:
        """Where the lock is held; a successor says the same until the machine boots, and a copy elsewhere does not.

        The number of the device is left out: a container that is started again may see another.
        """
        return f"{self.boot}-{os.fstat(self._own).st_ino}"

    def clear(self) -> None:
        """End what a predecessor has left running."""
        deadline = time.monotonic() + WAIT
        while not _lock(self.tree):
            if time.monotonic() > deadline:
                raise InUse(f"processes of an earlier agent on {self.path} do not end")
            time.sleep(0.05)
        self.sweep()

    def sweep(self) -> None:
        """End workers that have outlived their guardian, as one that is killed leaves them."""
        for page in self.path.glob("workers/*/page"):
            _end(page)

    def empty(self, *, keep: Collection[Path]) -> None:
        """Remove what only a predecessor needed, but for these files of results and folders of workers."""
        fetched = (self.path / "files", self.path / "inputs")
        for path in [*self.path.glob("workers/*"), *self.path.glob("results/*"), *fetched]:
            if path not in keep:
                remove(path) if path.is_dir() else path.unlink(missing_ok=True)
        for name in ("workers", "files", "inputs", "results"):
            with suppress(OSError):
                (self.path / name).mkdir(exist_ok=True)
        self._tidy_cache()

    def _tidy_cache(self) -> None:
        """Keep the files that tasks have handed on, unless the machine has booted: not all that was written may be there."""
        cache, note = self.path / cached.NAME, self.path / cached.NAME / ".boot"
        if not note.exists() or note.read_text() != self.boot:
            remove(cache)
        with suppress(OSError):
            cache.mkdir(mode=0o700, exist_ok=True)
            for path in cache.glob(".*"):
                path.unlink(missing_ok=True)
            note.write_text(self.boot)


def remove(folder: Path) -> None:
    """Remove a folder of files, though it is read-only."""
    for parent, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(parent).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _end(page: Path) -> None:
    """Kill the worker that a page tells of, and the command that it ran, if their guardian could not."""
    data = page.read_bytes()[PROCESSES_AT : PROCESSES_AT + PROCESSES.size]
    if len(data) < PROCESSES.size:
        return
    group, pid, started = PROCESSES.unpack(data)
    if pid and trees.is_alive(pid) and trees.start_time(pid) == started:
        log.warning("ending a worker of an earlier agent", pid=pid)
        trees.kill(pid, root=True)
    if group and started < trees.start_time(group):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _is_copy(path: Path) -> bool:
    """Say whether the folder was copied: the file that names the agent is not the one that was written in it.

    What a copy tells of belongs to an agent that may live: its session, and processes that a successor would end.
    """
    identity, place = path / "identity", path / "place"
    return identity.exists() and place.exists() and place.read_text() != str(identity.stat().st_ino)


def _note_place(path: Path) -> None:
    with suppress(OSError):
        (path / "place").write_text(str((path / "identity").stat().st_ino))


def _forget(path: Path) -> None:
    for name in ("identity", "secret", "place", "journal", "journal.new"):
        (path / name).unlink(missing_ok=True)
    for name in ("workers", "files", "inputs", "results", cached.NAME, ENVIRONMENTS):
        remove(path / name)


def _identity(path: Path) -> str:
    """Return what tells this folder, and so its agent, from any other; a machine that lost power may have left it empty."""
    known = path.read_text().strip("\0\n ") if path.exists() else ""
    if not known:
        known = secrets.token_hex(8)
        aside = path.with_suffix(".new")
        with suppress(OSError):  # On a full disk an agent is known for as long as it runs.
            aside.write_text(known)
            aside.rename(path)
    return known


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
