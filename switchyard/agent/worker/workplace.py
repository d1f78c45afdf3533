"""The working folders of one worker's commands, which run one after another. Nothing here starts or ends them.

Making folders and pipes anew for each command would take about a third of the time that the worker has for it.
"""

import itertools
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import POLLIN, poll

from switchyard.agent.disk.output import last_line
from switchyard.agent.worker.channel import Channel
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.pipes import Page

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Pipe:
    """The two ends of commands' output, and the file of the worker that it ends up in."""

    read: int
    write: int
    file: int


class Workplace:
    """An empty working folder, the pipes that take what commands write, and the channel by which they report."""

    def __init__(self, folder: Path, page: Page, output: tuple[int, int]) -> None:
        self.cwd = self.folder = folder
        #: Where commands put the states that they save as files, and find the one to go on from.
        self.states = folder / "command-states"
        self.states.mkdir()
        self.channel = Channel(folder / "report", self.states)
        self._page = page
        self._pipes = [_pipe(file) for file in output]
        self._numbers = itertools.count()
        self._made: tuple[int, ...] = ()
        self._written: list[Path] = []

    @property
    def outputs(self) -> list[int]:
        """The descriptors that a command's standard output and error are copies of."""
        return [pipe.write for pipe in self._pipes]

    def enter(self, files: Files) -> None:
        """Go into the folder, which is empty but for a copy of a job's files."""
        if not self._made:
            # Under a new name: what a command has made may refuse to be removed.
            self.cwd = self.folder / f"command-{next(self._numbers)}"
            self.cwd.mkdir()
            self._made = _nature(self.cwd)
        os.chdir(self.cwd)
        files.lay_out(self.cwd)

    def write(self, name: str, text: str) -> str:
        """Write a file beside the folder for this command alone; return its path."""
        path = self.folder / f"command-{name}.json"
        path.write_text(text)
        self._written.append(path)
        return str(path)

    def listen(self, pid: int) -> None:
        """Keep what a command writes until it has exited; it is not reaped yet, so its id stays its own."""
        self._page.set_group(pid)
        process = os.pidfd_open(pid)
        readers = {pipe.read: pipe for pipe in self._pipes}
        waiting = poll()
        for fd in (process, self.channel.fd, *readers):
            waiting.register(fd, POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in waiting.poll()]
                for fd in ready:
                    if fd in readers:
                        _copy(readers[fd])
                    elif fd == self.channel.fd:
                        self.channel.read()
                if process in ready:
                    return
        finally:
            os.close(process)
            self._page.set_group(0)

    def drain(self) -> None:
        """Keep what is left of what a command wrote; nothing that could write more is alive."""
        for pipe in self._pipes:
            while _copy(pipe):
                pass

    def discard(self) -> None:
        """Drop what is left of what a command wrote, so that it does not reach the next one's output."""
        for pipe in self._pipes:
            while _read(pipe):
                pass

    @property
    def is_whole(self) -> bool:
        """Say whether commands have left the worker its channel."""
        return self.channel.is_there

    def last_line(self) -> str:
        """Return the last line that the command wrote to its standard error."""
        return last_line(self.folder / "stderr", self._page.status().stderr)

    def leave(self) -> None:
        """Make all as it was: the next command finds an empty folder. It is made anew unless it is as it was made."""
        with suppress(OSError):
            os.chdir(self.folder)
        for path in self._written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._written.clear()
        with suppress(OSError):
            self._empty_states()
        if self._made and (_nature(self.cwd) != self._made or not _is_empty(self.cwd)):
            _remove(self.cwd)
            self._made = ()

    def _empty_states(self) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            if _is_empty(self.states):
                return
        _remove(self.states)
        self.states.mkdir()


def _nature(folder: Path) -> tuple[int, ...]:
    """Return what a command may have changed of a folder; nothing if it is no longer there."""
    try:
        found = os.lstat(folder)
    except OSError:
        return ()
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid


def _is_empty(folder: Path) -> bool:
    with os.scandir(folder) as found:
        return not any(found)


def _remove(folder: Path) -> None:
    """Remove what stands there, whatever a command has made of it."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        folder.chmod(stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)


def _pipe(file: int) -> Pipe:
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    return Pipe(read, write, file)


def _copy(pipe: Pipe) -> bool:
    """Copy once what a command wrote; say whether there may be more."""
    data = rest = _read(pipe)
    while rest:
        rest = rest[os.write(pipe.file, rest) :]
    return bool(data)


def _read(pipe: Pipe) -> bytes:
    try:
        return os.read(pipe.read, CHUNK)
    except BlockingIOError:
        return b""
