"""A thread that sends tasks' output to the server, until all of it is stored."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import structlog

from switchyard.agent.core.logs import Log, Name
from switchyard.agent.disk import output
from switchyard.agent.network.server import Refused, Server, SessionEnded

log = structlog.get_logger()
CHUNK = 1 << 20
#: Seconds between looks at running tasks, and after a failure.
LIVE = 0.5
PAUSE = 1.0


class Shipper:
    """Ships logs. A worker's folder is removed when it is done with, and all of its logs are shipped.

    `note` is told, in the shipper's thread, of each log of which there is nothing more to ship.
    """

    def __init__(self, server: Server, cap: int = output.CAP, note: Callable[[Name], None] = lambda _: None) -> None:
        self.cap = cap
        self._server = server
        self._note = note
        self._changed = threading.Condition()
        self._logs: dict[Name, Log] = {}
        self._done: set[Path] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def follow(self, log: Log) -> None:
        """Ship what a task writes, from now on."""
        with self._changed:
            self._logs.setdefault(log.name, log)
            self._changed.notify()

    def finish(self, log: Log) -> None:
        """Ship all that a task has written; it has ended."""
        with self._changed:
            known = self._logs.setdefault(log.name, log)
            known.end = log.end
            self._changed.notify()

    def unshipped(self) -> list[Log]:
        """Return what ended tasks have written and is not known to be shipped whole."""
        with self._changed:
            return [log for log in self._logs.values() if log.end is not None]

    def remove(self, folder: Path) -> None:
        """Remove the folder of a worker that has ended, once its logs are shipped."""
        with self._changed:
            self._done.add(folder)
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Wait for all to be shipped, but not longer than this; say whether it was."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._logs and self._changed.wait(deadline - time.monotonic()):
                continue
            shipped = not self._logs
            self._closed = True
            self._changed.notify()
        self._thread.join(max(0.1, deadline - time.monotonic()))
        return shipped

    def _run(self) -> None:
        while not self._closed:
            progress = False
            for item in list(self._logs.values()):
                progress = self._ship(item) or progress
            with self._changed:
                self._tidy()
                if not progress and not self._closed:
                    self._changed.wait(LIVE if self._logs else None)

    def _ship(self, item: Log) -> bool:
        """Ship one piece of a log; say whether it was possible and there may be more."""
        ended = item.end is not None
        try:
            data = output.read(item, self.cap, CHUNK)
            if data:
                self._server.append_log(item.name, item.shipped, data)
        except FileNotFoundError:
            data, ended, item.end = b"", True, item.start
        except (httpx.HTTPError, OSError, SessionEnded) as error:
            log.warning("log not shipped, trying again", error=str(error))
            time.sleep(PAUSE)
            return False
        except Refused as error:
            log.warning("log refused", error=str(error))
            data, ended, item.end = b"", True, item.end or item.start
        item.shipped += len(data)
        if not data and ended:
            self._forget(item)
        return bool(data)

    def _forget(self, item: Log) -> None:
        with self._changed:
            del self._logs[item.name]
            self._changed.notify_all()
        with suppress(OSError):
            fd = os.open(item.path, os.O_WRONLY | os.O_CLOEXEC)
            output.free(fd, item.start, item.end or item.start)
            os.close(fd)
        self._note(item.name)

    def _tidy(self) -> None:
        busy = {Path(item.path).parent for item in self._logs.values()}
        for folder in self._done - busy:
            shutil.rmtree(folder, ignore_errors=True)
        self._done &= busy
