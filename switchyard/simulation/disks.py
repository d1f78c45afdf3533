"""The disk of a machine: what of an agent its successor finds there. One that is full takes nothing more."""

import errno
import json
from collections.abc import Callable, Iterable
from typing import Any

from switchyard.agent.core.notes import LEFT, Notes
from switchyard.agent.core.records import Status
from switchyard.simulation.truth import Restored, Snapshot


class Disk:
    """The lines of a journal, whether they are whole, and what each worker began last, by its number."""

    def __init__(self) -> None:
        self.full = False
        self.values: list[Any] = []
        self.whole = True
        self.pages: dict[int, Status] = {}
        #: States of tasks, by path: as workers have saved them, and as they were fetched.
        self.states: dict[str, Snapshot | Restored] = {}
        #: The secret of the registration that was answered last, and of the one that is asked for now.
        self.last_secret = self.secret = ""

    def require_space(self) -> None:
        """Raise OSError if it is full."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")

    @property
    def session(self) -> str:
        """The session that a successor may go on with; empty if there is none, or it is not known for certain."""
        if not self.values or not self.whole or LEFT in self.values:
            return ""
        return str(self.values[0]["session"])


class Journal(Notes):
    """Writes to a disk. A successor knows if something could not be written. `written` is called after each note."""

    def __init__(self, disk: Disk, session: str, highest: int, written: Callable[[], None]) -> None:
        self._disk = disk
        self._session = session
        self.highest = highest
        self._written = written
        self._values: list[Any] = []
        self.broken = False
        self._begin(())

    def commit(self) -> None:
        """Replace the journal of before, which a successor finds until then."""
        self._disk.values = [] if self.broken else self._values
        self._disk.whole = not self.broken

    def rewrite(self, rest: Iterable[Any]) -> None:
        """Begin anew with what still counts, if there is space."""
        self._begin(rest)
        if not self.broken:
            self.commit()

    def note(self, *values: Any) -> None:
        if self.broken:
            return
        if self._disk.full:
            self.broken, self._disk.whole = True, False
            return
        self._values.extend(_copied(values))
        self._written()

    def write(self, lines: bytes) -> None:
        self.note(*map(json.loads, lines.splitlines()))

    def _begin(self, rest: Iterable[Any]) -> None:
        self.broken = self._disk.full
        if not self.broken:
            self._values = [{"session": self._session, "highest": self.highest}, *_copied(rest)]


def _copied(values: Iterable[Any]) -> list[Any]:
    return [json.loads(json.dumps(value)) for value in values]
