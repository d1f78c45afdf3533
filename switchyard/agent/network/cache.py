"""The cache of files that tasks hand on and are handed: by digest, each fetched once, up to a number of bytes.

Those that are longest unused go first. What a task is handed is a link, so that it stays whole though its file goes here.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from switchyard.agent.disk import cached
from switchyard.scheduling.lifecycle.ends import File

#: Bytes that are kept at most, but for what is in use.
BOUND = 10 << 30
#: Seconds for which a file stays after its use: a worker may have put it there and not said so yet.
GRACE = 60.0


class Cache:
    """The cache of one agent's data folder."""

    def __init__(self, data: Path, bound: int = BOUND, grace: float = GRACE) -> None:
        self._data = data
        self._folder = data / cached.NAME
        self._bound = bound
        self._grace = grace
        self._locks: WeakValueDictionary[Path, Lock] = WeakValueDictionary()
        self._own = Lock()
        self._pins: Counter[Path] = Counter()

    def place(self, file: File) -> Path:
        return cached.place(self._data, file.digest, executable=file.executable)

    def link(self, file: File, target: Path, fetch: Callable[[Path], None]) -> None:
        """Make a link to a file at a path; `fetch` writes it to a path if it is not here. Many may ask for it at once."""
        place = self.place(file)
        with self._own:
            lock = self._locks.setdefault(place, Lock())
        with lock:
            if not cached.use(place, file.size, executable=file.executable):
                place.unlink(missing_ok=True)
                aside = place.with_name(f".{place.name}")
                aside.unlink(missing_ok=True)
                try:
                    fetch(aside)
                    cached.seal(aside, executable=file.executable)
                    aside.rename(place)
                finally:
                    aside.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
            os.link(place, target)

    @contextmanager
    def pinned(self, files: Iterable[File]) -> Iterator[None]:
        """Keep files meanwhile, however long they are unused."""
        places = [self.place(file) for file in files]
        with self._own:
            self._pins.update(places)
        try:
            yield
        finally:
            with self._own:
                self._pins -= Counter(places)
            self.trim()

    def trim(self) -> None:
        """Remove what is longest unused while there is too much; what has other links frees nothing."""
        with self._own:
            found = [(entry, entry.stat(follow_symlinks=False)) for entry in _entries(self._folder)]
            size = sum(stat.st_size for _, stat in found)
            before = time.time() - self._grace
            for entry, stat in sorted(found, key=lambda each: each[1].st_atime):
                if size <= self._bound or stat.st_atime > before:
                    return
                if stat.st_nlink == 1 and Path(entry.path) not in self._pins:
                    with suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108
                        size -= stat.st_size


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        return [entry for entry in found if not entry.name.startswith(".")]
    return []
