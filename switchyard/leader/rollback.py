"""Detect that the database has lost data that agents know: it was restored, or lost its last commits.

The numbers of reports then have a gap that never closes, since agents do not keep what was acknowledged; or agents have
obeyed commands of a later epoch, and would ignore those of this one. Such agents are to begin new sessions.
"""

from collections.abc import Callable, Collection, Iterable

from switchyard.leader.ports import Clock
from switchyard.messaging.messages import Heartbeat, Report

#: Seconds within which a report that was lost on its way has been sent again.
PATIENCE = 20.0
MISSING = "reports are missing that the server has forgotten."
AHEAD = "it knows of a later epoch than the server, whose database was restored."
#: Has the agents of these nodes begin new sessions, for this reason.
Refuse = Callable[[Collection[int], str], None]


class Gaps:
    """Remembers since when the reports of nodes lack some. Losing that costs as long again."""

    def __init__(self, clock: Clock, refuse: Refuse) -> None:
        self._clock = clock
        self._refuse = refuse
        self._since: dict[int, float] = {}

    def note(self, reports: Iterable[Report], lacking: set[int]) -> None:
        """Note which nodes have reported, and of which of them reports are missing."""
        now = self._clock.monotonic()
        for node in {report.node for report in reports}:
            if node in lacking:
                self._since.setdefault(node, now)
            else:
                self._since.pop(node, None)

    def step(self, patience: float = PATIENCE) -> None:
        """Refuse the sessions of which reports are missing for good."""
        now = self._clock.monotonic()
        lasting = [node for node, since in self._since.items() if now - since >= patience]
        if lasting:
            self._refuse(lasting, MISSING)
        for node in lasting:
            del self._since[node]


def ahead(beats: Iterable[Heartbeat], epoch: int) -> set[int]:
    """Return the nodes whose agents have obeyed commands of a later epoch."""
    return {beat.node for beat in beats if _command(beat) >> 32 > epoch}


def _command(beat: Heartbeat) -> int:
    return int((beat.figures.get("inventory") or {}).get("command", 0))
