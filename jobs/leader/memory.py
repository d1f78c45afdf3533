"""The leader's memory between rounds. It may be lost at any time: a new leader starts without it."""

from jobs.telemetry.histograms import Recorder
from jobs.telemetry.outcomes import Tally
from switchyard.scheduling.lifecycle.memo import Memo


class Memory(Memo):
    """What rounds remember from each other, and figures that are yet to be written."""

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder()
        self.tally = Tally()
