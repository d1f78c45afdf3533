"""The state of an agent for a heartbeat (messaging.messages.Heartbeat). The server compares it with its rows."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from switchyard.agent.core.entries import Entries
from switchyard.agent.core.monitor import Watch
from switchyard.agent.core.outcomes import Ends
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.reports import Reports
from switchyard.scheduling.indexes import IndexSet

Tasks = Iterable[tuple[int, int, IndexSet]]


def take(entries: Entries, floor: Floor, reports: Reports, ends: Ends, watch: Watch, command: int) -> dict[str, Any]:
    """Return the inventory of this moment; `command` is the number of the last command obeyed."""
    stages = {entry.stage.id: entry.stage for entry in entries.entries}
    waiting = {stage.id: stage.lacking for stage in stages.values() if stage.lacking}
    return {
        "listed": _grouped((entry.stage.id, entry.attempt, entry.pending) for entry in entries.entries),
        "begun": _grouped(floor.all_tasks()),
        "ended": _grouped([*reports.all_told(), *ends.all_storing()]),
        "free": floor.room,
        "fetching": waiting,
        "stuck": watch.stuck,
        "command": command,
        "reported": reports.last,
    }


def _grouped(tasks: Tasks) -> list[list[Any]]:
    grouped: dict[tuple[int, int], IndexSet] = defaultdict(IndexSet)
    for stage, attempt, indexes in tasks:
        grouped[stage, attempt] |= indexes
    return [[stage, attempt, indexes.to_json()] for (stage, attempt), indexes in grouped.items()]
