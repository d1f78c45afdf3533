"""The shell of the agent's machine: one loop in one thread."""

import os
import select
import selectors
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from switchyard.agent.core.environments import BOUND, oldest_first
from switchyard.agent.core.fencing import Fence
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.machine import Machine, Ports
from switchyard.agent.core.stops import Reason
from switchyard.agent.disk import output
from switchyard.agent.disk.journal import Journal
from switchyard.agent.disk.task_output import TaskOutput
from switchyard.agent.machine import faults, memory
from switchyard.agent.machine.fitness import Fitness
from switchyard.agent.network.fetching import Fetcher
from switchyard.agent.network.server import Registered
from switchyard.agent.network.shipping import Shipper
from switchyard.agent.processes.builds import Builds
from switchyard.agent.processes.cgroups import Groups
from switchyard.agent.processes.launcher import Processes
from switchyard.agent.processes.workers import WorkerProcess
from switchyard.agent.processes.zygotes import Zygote, unstartable
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
        registered: Registered,
        journal: Journal,
        send: Callable[[dict[str, Any], bool], None],
        fetcher: Callable[[Callable[[Callable[[], None]], None], Callable[[str], None]], Fetcher],
        shipper: Shipper,
        recovered: Recovered,
        fitness: Fitness,
        keep: int | None = None,
        groups: Groups | None = None,
        options: Sequence[str] = (),
        bound: int = BOUND,
    ) -> None:
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._called = select.poll()
        self._called.register(self._woken, select.POLLIN)
        self._journal = journal
        self._shipper = shipper
        self._folder = folder
        self._fitness = fitness
        self._fetcher = fetcher(self.call, self.fault)
        self._processes = Processes(folder, self._selector, shipper, keep, groups)
        self._builds = Builds(folder, self.call, options, keep)
        self._machine = Machine(
            Ports(self._processes, self._fetcher, self._builds, TaskOutput(shipper), journal, log, send, self.fault),
            node=registered.node,
            session=registered.session,
            room=room,
            recovered=recovered,
            last_report=registered.last_report,
            pause=registered.pause,
            kept=oldest_first(self._builds.kept(), time.monotonic()),
            bound=bound,
        )
        self._machine.recover(recovered, time.monotonic())
        fitness.changed.append(self._suit)
        self._killed = memory.kills()
        self._mended = 0.0

    def deliver(self, command: dict[str, Any]) -> None:
        """Take a command, in any thread."""
        self.call(lambda: self._machine.command(Command.decode(command), time.monotonic()))

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
        machine = self._machine
        if machine.floor.supplied(2 * NAP):
            # Ends may pile up meanwhile: several are read for little more than the price of one.
            self._called.poll(1000 * NAP)
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, WorkerProcess):
                self._read(key.data)
            elif isinstance(key.data, Zygote):
                self._hear(key.data)
            else:
                os.read(self._woken, 4096)
        machine.at(time.monotonic())
        self._take_calls()
        self._feed()
        now = time.monotonic()
        if machine.due(now):
            self._fitness.look(now)
            machine.tick(now)
            self._feed()
            self._tidy(now)
        return machine.flush(now)

    @property
    def idle(self) -> bool:
        """Say whether nothing runs and everything has been told and heard."""
        return self._machine.idle

    @property
    def busy(self) -> bool:
        """Say whether something runs."""
        return self._machine.busy

    def inventory(self, timeout: float) -> dict[str, Any] | None:
        """Return what is here as a heartbeat tells it, in any thread; None if the loop does not turn in time."""
        answer: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.call(lambda: answer.put(self._machine.inventory(time.monotonic())))
        try:
            return answer.get(timeout=timeout)
        except Empty:
            return None

    def leave(self, why: str = "told") -> None:
        """Start nothing more; return what has not begun."""
        self._machine.leave(why, time.monotonic())

    def come_back(self, why: str = "told") -> None:
        """Start tasks again, unless there is another reason not to."""
        self._machine.come_back(why)

    def fault(self, fault: str) -> None:
        """Run nothing for a while, as the machine fails; in any thread."""
        self.call(lambda: self._fitness.note(fault, time.monotonic()))

    def fence(self, fence: Fence, silence: float) -> bool:
        """End what may not outlive so long a silence; say whether something runs that still may."""
        return self._machine.fence(fence, silence, time.monotonic())

    def stop_all(self, reason: Reason, *, grace: float | None = None) -> None:
        """End all that runs, within the grace of each task, or this one if it is shorter."""
        self._machine.stop_all(reason, time.monotonic(), grace=grace)

    def extend(self, fence: Fence, heard: float) -> None:
        """Tell the guardians until when to wait for the next word, after a heartbeat of then was acknowledged."""
        for zygote in self._processes.zygotes.values():
            zygote.extend(heard + fence.kill_after(zygote.patience))

    def close(self) -> None:
        """End everything that was started here."""
        self._fetcher.close()
        self._builds.close()
        self._processes.close()
        self._selector.close()
        for fd in (self._woken, self._wake):
            os.close(fd)

    def _feed(self) -> None:
        try:
            self._machine.feed(time.monotonic())
        except OSError as error:
            self.fault(faults.describe(error, self._folder))

    def _suit(self) -> None:
        """Do what follows when the machine begins to fail, or no longer does."""
        if not self._fitness.fault:
            self.come_back("unfit")
            return
        self._machine.fail_builds(self._fitness.fault, time.monotonic())
        self.leave("unfit")

    def _read(self, worker: WorkerProcess) -> None:
        """Read what a worker has written; one that can tell nothing more is ended."""
        try:
            if worker.number in self._machine.floor.workers:
                if lines := worker.read():
                    self._machine.results(worker, lines, time.monotonic())
                if worker.mute:
                    self._processes.ignore(worker)
                    worker.clear()
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
                self._machine.born(event["worker"], event["forked"])
            elif "ended" in event:
                for worker in [worker for worker in self._workers() if worker.pid == event["ended"]]:
                    if event["status"] > 0 and not worker.ended and not worker.status().claimed:
                        said = output.last_line(Path(worker.folder) / "stderr", 0) or f"exit status {event['status']}"
                        self.fault(f"workers end before they begin a task: {said}")
                    self._bury(worker, event["status"])
            elif "failed" in event:
                self.fault(faults.describe(OSError(*event["error"]), self._folder))
                for worker in [worker for worker in self._workers() if worker.number == event["failed"]]:
                    self._bury(worker, 0)
            else:
                self._lose(zygote)

    def _workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._machine.floor.workers.values() if isinstance(worker, WorkerProcess)]

    def _bury(self, worker: WorkerProcess, status: int) -> None:
        kills = memory.kills()
        while lines := worker.read():
            self._machine.results(worker, lines, time.monotonic())
        out_of_memory = status == -9 and not worker.group and kills > self._killed
        self._machine.died(worker, worker.death(status, out_of_memory=out_of_memory), time.monotonic())
        self._killed = kills

    def _lose(self, zygote: Zygote) -> None:
        """Take the end of a zygote, and with it of its workers: its guardian ends them."""
        log.warning("zygote has ended", interpreter=zygote.interpreter)
        self._processes.forget(zygote)
        for worker in [worker for worker in self._workers() if worker.zygote is zygote]:
            handed = [part.entry for part in worker.handed]
            self._bury(worker, -9)
            if not zygote.interpreter and not zygote.forked:
                self.fault(f"no process can be started: {sys.executable} does not run the agent's own code")
            elif zygote.interpreter and not zygote.forked and handed:
                self._machine.unfit(handed[0], unstartable(zygote.interpreter), time.monotonic())

    def _tidy(self, now: float) -> None:
        """Write a journal anew that has grown large, or could not be written."""
        mend = self._journal.broken and now - self._mended >= MEND
        if self._journal.is_large or mend:
            self._mended = now
            self._journal.rewrite(self._machine.rest(self._shipper.unshipped()))
