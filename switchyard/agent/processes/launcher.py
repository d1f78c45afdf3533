"""Processes: start workers below the zygote of their kind, and release their resources."""

import itertools
import selectors
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.workers import Worker
from switchyard.agent.network.shipping import Shipper
from switchyard.agent.processes.cgroups import Groups
from switchyard.agent.processes.workers import WorkerProcess
from switchyard.agent.processes.zygotes import Zygote


class Processes:
    """The zygotes and workers of one agent, as processes (switchyard.agent.core.ports.Workers)."""

    def __init__(
        self, folder: Path, selector: selectors.BaseSelector, shipper: Shipper, keep: int | None, groups: Groups | None
    ) -> None:
        self.zygotes: dict[tuple[str, float], Zygote] = {}
        self._folder = folder
        self._selector = selector
        self._shipper = shipper
        # Beyond those of a predecessor, whose folders stay until their logs are shipped.
        self._numbers = itertools.count(1 + max((int(path.name) for path in (folder / "workers").glob("*")), default=0))
        self._keep = keep
        self._groups = groups

    def start(self, entry: Entry) -> WorkerProcess:
        """Start a worker for tasks like these; it takes tasks at once."""
        stage = entry.stage
        kind = stage.interpreter, stage.patience
        zygote = self.zygotes.get(kind)
        if zygote is None:
            zygote = self.zygotes[kind] = Zygote(self._folder, *kind, self._keep, self._groups)
            self._selector.register(zygote.socket, selectors.EVENT_READ, zygote)
        files = stage.files if stage.spec.get("python") else None
        home = stage.home if stage.spec.get("python") else ""
        worker = zygote.start(next(self._numbers), entry.key, stage.env(entry.devices), files, home)
        self._selector.register(worker.results, selectors.EVENT_READ, worker)
        return worker

    def give_up(self, worker: Worker) -> None:
        """Kill a worker that does not begin its tasks; one that is not there yet ends by itself."""
        if worker.pid:
            worker.clear()

    def bury(self, worker: Worker) -> None:
        """Release what a dead worker held, but for its output, and kill what its tasks have left behind."""
        process = cast("WorkerProcess", worker)
        self.ignore(process)
        process.clear()
        process.close()
        if self._groups and process.group:
            self._groups.remove(process.group)
        self._shipper.remove(Path(process.folder))

    def ignore(self, worker: WorkerProcess) -> None:
        """Read nothing more from a worker."""
        with suppress(KeyError):
            self._selector.unregister(worker.results)

    def release_unused(self, workers: Iterable[Worker]) -> None:
        """End zygotes of few jobs that have no workers."""
        if not any(zygote.patience or zygote.interpreter for zygote in self.zygotes.values()):
            return
        used = {id(cast("WorkerProcess", worker).zygote) for worker in workers}
        for zygote in list(self.zygotes.values()):
            if (zygote.patience or zygote.interpreter) and id(zygote) not in used:
                self.forget(zygote)

    def forget(self, zygote: Zygote) -> None:
        """Drop a zygote that has ended; the next worker of its kind gets a new one."""
        self._selector.unregister(zygote.socket)
        zygote.close()
        self.zygotes = {kind: other for kind, other in self.zygotes.items() if other is not zygote}

    def close(self) -> None:
        """End all zygotes, and with them all workers."""
        for zygote in list(self.zygotes.values()):
            self.forget(zygote)
