"""Read the files of the predecessor: its journal, and the pages of its workers."""

from pathlib import Path

import structlog

from switchyard.agent.core import history
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.notes import LEFT
from switchyard.agent.core.records import Status
from switchyard.agent.disk import journal, output
from switchyard.agent.worker.pipes import STATUS

log = structlog.get_logger()


def read(path: Path, workers: Path, *, reported: int, cap: int) -> Recovered:
    """Read what a predecessor left behind; `reported` is the number of its last report that was applied.

    `cap` is how much is kept of each stream of a task.
    """
    values, _ = journal.read(path)
    if not values:
        return Recovered()
    return history.read(values, _pages(workers), reported=reported, folder=str(workers), cap=cap, size=output.size)


def last_session(path: Path, boot: str) -> str:
    """Return the session that a journal is of; empty if nothing of it is left, or what is left is not known for certain.

    After a reboot what was written last may be missing without a trace, and with it what the server was told.
    """
    values, whole = journal.read(path)
    if not whole and path.exists():
        log.warning("the journal is not whole, beginning a new session", path=str(path), lines=len(values))
    if not whole or values[0]["boot"] != boot or LEFT in values:
        return ""
    return str(values[0]["session"])


def paths(recovered: Recovered) -> set[Path]:
    """Return the files with results that have yet to be stored, and the folders of workers with output to ship."""
    files = {Path(end.file) for end in recovered.rest.ends.values() if end.file}
    return files | {Path(log.path).parent for log in recovered.logs}


def _pages(workers: Path) -> dict[int, Status]:
    """Return what each worker began last."""
    pages = {int(page.parent.name): page.read_bytes() for page in workers.glob("*/page")}
    return {worker: Status(*STATUS.unpack_from(page)) for worker, page in pages.items() if len(page) >= STATUS.size}
