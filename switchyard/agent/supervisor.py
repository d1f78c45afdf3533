"""One loop in one thread that turns commands into running tasks and their ends into reports."""

import os
import select
import selectors
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from switchyard.agent import inventory, stops
from switchyard.agent.commands import Orders
from switchyard.agent.disk import output, rewriting
from switchyard.agent.disk.journal import Journal
from switchyard.agent.entries import Entries
from switchyard.agent.fencing import Fence
from switchyard.agent.machine import faults, memory
from switchyard.agent.machine.fitness import Fitness
from switchyard.agent.monitor import LONG, Watch
from switchyard.agent.network.fetching import Fetcher
from switchyard.agent.network.shipping import Shipper
from switchyard.agent.outcomes import Ends
from switchyard.agent.pool import Floor
from switchyard.agent.processes.cgroups import Groups
from switchyard.agent.processes.workers import Worker
from switchyard.agent.processes.zygotes import Zygote, unstartable
from switchyard.agent.recovery import Recovered
from switchyard.agent.reports import Reports
from switchyard.agent.stops import Reason
from switchyard.messaging.messages import Command

log = structlog.get_logger()
#: Seconds for which ends are left unread while no worker runs dry and nothing waits for them.
NAP = 0.004
#: Seconds between attempts to write a journal anew that could not be written.
MEND = 1.0


class Supervisor:
    """Runs what is on the node's list."""

    def __init__(
        self,
        *,
        folder: Path,
        room: dict[str, int],
        session: str,
        reports: Reports,
        journal: Journal,
        fetcher: Callable[[Callable[[Callable[[], None]], None], Callable[[str], None]], Fetcher],
        shipper: Shipper,
        recovered: Recovered,
        fitness: Fitness,
        keep: int | None = None,
        groups: Groups | None = None,
    ) -> None:
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._called = select.poll()
        self._called.register(self._woken, select.POLLIN)
        self._journal = journal
        self._reports = reports
        self._shipper = shipper
        self._folder = folder
        self._fitness = fitness
        self._away: set[str] = set()
        self._fetcher = fetcher(self.call, self.fault)
        gpus = any(name[:3] == "gpu" and name[3:].isdigit() for name in room)
        self._list = Entries(gpus=gpus, numbers=recovered.entries)
        self._floor = Floor(folder, room, self._list, journal, self._selector, keep, groups)
        self.ends = Ends(
            entries=self._list, floor=self._floor, reports=reports, journal=journal, fetcher=self._fetcher,
            shipper=shipper, clock=lambda: time.monotonic_ns() // 1000, fault=self.fault,
        )  # fmt: skip
        self._orders = Orders(
            session=session,
            entries=self._list,
            floor=self._floor,
            ends=self.ends,
            reports=reports,
            journal=journal,
            fetcher=self._fetcher,
            highest=recovered.highest,
        )
        fitness.changed.append(self._suit)
        self._watch = Watch(self._list, self._floor, self.ends, reports, shipper)
        self._killed = memory.kills()
        self._looked = self._mended = 0.0

    def deliver(self, command: dict[str, Any]) -> None:
        """Take a command, in any thread."""
        self.call(lambda: self._orders.obey(Command.decode(command), time.monotonic()))

    def call(self, what: Callable[[], None]) -> None:
        """Have something done in the loop's thread."""
        self._inbox.put(what)
        self.wake()

    def wake(self) -> None:
        """Make the loop turn; safe in threads and signal handlers."""
        try:
            os.write(self._wake, b"!")
        except BlockingIOError:
            return

    def step(self, timeout: float) -> float:
        """Wait for something to happen and do what follows; return how long the next wait may be."""
        if self._floor.supplied(2 * NAP):
            # Ends may pile up meanwhile: several are read for little more than the price of one.
            self._called.poll(1000 * NAP)
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, Worker):
                self._read(key.data)
            elif isinstance(key.data, Zygote):
                self._hear(key.data)
            else:
                os.read(self._woken, 4096)
        self._take_calls()
        self._feed()
        now = time.monotonic()
        if now - self._looked >= LONG:
            self._looked = now
            self._orders.stop_canceled(now)
            self._fitness.look(now)
            self._watch.look(now)
            self._feed()
            self._tidy(now)
        wait = self._reports.flush(now, more=bool(self._list.entries) or self._floor.ahead)
        return min(wait, LONG) if self._floor.busy or self._list.entries else wait

    @property
    def idle(self) -> bool:
        """Say whether nothing runs and everything has been told and heard."""
        return not self._floor.busy and self.ends.settled and self._reports.delivered

    @property
    def busy(self) -> bool:
        """Say whether something runs."""
        return bool(self._floor.busy)

    def inventory(self, timeout: float) -> dict[str, Any] | None:
        """Return what is here as a heartbeat tells it, in any thread; None if the loop does not turn in time."""
        answer: SimpleQueue[dict[str, Any]] = SimpleQueue()
        parts = (self._list, self._floor, self._reports, self.ends, self._watch)
        self.call(lambda: answer.put(inventory.take(*parts, command=self._orders.highest)))
        try:
            return answer.get(timeout=timeout)
        except Empty:
            return None

    def leave(self, why: str = "told") -> None:
        """Start nothing more; return what has not begun."""
        self._away.add(why)
        self._floor.frozen = self._orders.leaving = True
        self._orders.return_all()

    def come_back(self, why: str = "told") -> None:
        """Start tasks again, unless there is another reason not to."""
        self._away.discard(why)
        self._floor.frozen = self._orders.leaving = bool(self._away)

    def fault(self, fault: str) -> None:
        """Run nothing for a while, as the machine fails; in any thread."""
        self.call(lambda: self._fitness.note(fault, time.monotonic()))

    def fence(self, fence: Fence, silence: float) -> bool:
        """End what may not outlive so long a silence; say whether something runs that still may."""
        return fence.end(self._floor.busy.values(), silence)

    def stop_all(self, reason: Reason, *, grace: float | None = None) -> None:
        """End all that runs, within the grace of each task, or this one if it is shorter."""
        now = time.monotonic()
        for worker in list(self._floor.busy.values()):
            status = worker.page.status()
            if status.claimed > worker.ended:
                own = worker.handed[0].entry.stage.grace
                stops.begin(worker, status, reason, now, grace=own if grace is None else min(own, grace))

    def extend(self, fence: Fence, heard: float) -> None:
        """Tell the guardians until when to wait for the next word, after a heartbeat of then was acknowledged."""
        for zygote in self._floor.zygotes.values():
            zygote.extend(heard + fence.kill_after(zygote.patience))

    def close(self) -> None:
        """End everything that was started here."""
        self._fetcher.close()
        for zygote in list(self._floor.zygotes.values()):
            self._floor.forget_zygote(zygote)
        self._selector.close()
        for fd in (self._woken, self._wake):
            os.close(fd)

    def _feed(self) -> None:
        try:
            self._floor.feed()
        except OSError as error:
            self.fault(faults.describe(error, self._folder))

    def _suit(self) -> None:
        """Do what follows when the machine begins to fail, or no longer does."""
        self.leave("unfit") if self._fitness.fault else self.come_back("unfit")

    def _read(self, worker: Worker) -> None:
        """Read what a worker has written; one that can tell nothing more is ended."""
        try:
            if worker.number in self._floor.workers:
                self.ends.read(worker)
                if worker.mute:
                    self._selector.unregister(worker.results)
                    stops.clear(worker)
        except OSError as error:
            self.fault(faults.describe(error, self._folder))

    def _take_calls(self) -> None:
        while True:
            try:
                self._inbox.get_nowait()()
            except Empty:
                return

    def _hear(self, zygote: Zygote) -> None:
        for event in zygote.events():
            if "forked" in event:
                self._floor.workers[event["worker"]].pid = event["forked"]
            elif "ended" in event:
                for worker in self._floor.of_process(event["ended"]):
                    if event["status"] > 0 and not worker.ended and not worker.page.status().claimed:
                        said = output.last_line(worker.folder / "stderr", 0) or f"exit status {event['status']}"
                        self.fault(f"workers end before they begin a task: {said}")
                    self._bury(worker, event["status"])
            elif "failed" in event:
                self.fault(faults.describe(OSError(*event["error"]), self._folder))
                self._bury(self._floor.workers[event["failed"]], 0)
            else:
                self._lose(zygote)

    def _bury(self, worker: Worker, status: int) -> None:
        kills = memory.kills()
        self.ends.died(worker, status, out_of_memory=status == -9 and not worker.group and kills > self._killed)
        self._killed = kills

    def _lose(self, zygote: Zygote) -> None:
        """Take the end of a zygote, and with it of its workers: its guardian ends them."""
        log.warning("zygote has ended", interpreter=zygote.interpreter)
        self._floor.forget_zygote(zygote)
        for worker in self._floor.of_zygote(zygote):
            handed = [part.entry for part in worker.handed]
            self._bury(worker, -9)
            if not zygote.interpreter and not zygote.forked:
                self.fault(f"no process can be started: {sys.executable} does not run the agent's own code")
            elif zygote.interpreter and not zygote.forked and handed:
                self.ends.unfit(handed[0], unstartable(zygote.interpreter))

    def _tidy(self, now: float) -> None:
        """Forget what is over."""
        mend = self._journal.broken and now - self._mended >= MEND
        if self._journal.is_large or mend:
            self._mended = now
            logs = self._shipper.unshipped()
            self._journal.rewrite(rewriting.rest(self._list, self._floor, self._reports, self.ends, logs))
        self._list.forget(self._floor.stages())
