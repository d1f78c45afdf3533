"""Notes: the journal entries of the machine, as JSON values. switchyard.agent.core.history reads them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from switchyard.agent.core.ends import Written, noted
from switchyard.agent.core.logs import Log, Name
from switchyard.scheduling.indexes import IndexSet

LEFT = {"left": True}


class Notes(ABC):
    """A journal, in order: ends of tasks, and what was launched, handed over, taken back, returned, reported, shipped."""

    #: The number of the last command that must not be obeyed again.
    highest = 0

    @abstractmethod
    def note(self, *values: Any) -> None:
        """Append some values at once."""

    @abstractmethod
    def write(self, lines: bytes) -> None:
        """Append whole lines that a worker wrote: ends of its tasks."""

    def ended(self, end: Written) -> None:
        """Note an end that no worker has written."""
        self.note(noted(end))

    def launched(self, command: int, entries: Iterable[tuple[int, int, int, IndexSet]]) -> None:
        """Note the entries of a command, each as number of the entry, stage, attempt and indexes."""
        self.highest = command
        self.note(*({"launched": [command, *entry, indexes.to_json()]} for *entry, indexes in entries))

    def obeyed(self, command: int) -> None:
        """Note a command that asked tasks back: what was sent before it is not obeyed any more."""
        self.highest = command
        self.note({"obeyed": command})

    def returned(self, stage: int, attempt: int, indexes: IndexSet) -> None:
        self.note({"returned": [stage, attempt, indexes.to_json()]})

    def handed(self, worker: int, stage: int, attempt: int, indexes: IndexSet) -> None:
        self.note({"handed": [worker, stage, attempt, indexes.to_json()]})

    def taken_back(self, worker: int, count: int) -> None:
        self.note({"back": [worker, count]})

    def reported(self, number: int) -> None:
        """Note that all of before is in reports up to this number, or waits for an upload."""
        self.note({"reported": number})

    def left(self) -> None:
        """Note that nothing of the session is left."""
        self.note(LEFT)

    def known(self, entries: IndexSet) -> None:
        """Note the numbers of entries that were launched before."""
        self.note({"entries": entries.to_json()})

    def inherited(self, log: Log) -> None:
        """Note output that a predecessor has not shipped."""
        self.note(note_of_log(log))

    def shipped(self, name: Name) -> None:
        """Note that there is nothing more of a log to ship; in any thread."""
        self.note({"shipped": [*name]})


def note_of_log(log: Log) -> dict[str, Any]:
    """Return the note of a log that has yet to be shipped."""
    return {"log": [*log.name, log.path, log.start, log.end]}
