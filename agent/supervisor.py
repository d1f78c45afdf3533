"""The supervisor: one loop, one thread, that turns commands into running tasks and their ends into reports."""

import json
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from agent.entries import Entries, Entry, Inputs
from agent.journal import Journal
from agent.messages import Command
from agent.reports import Reports
from agent.workers import Worker, Zygote
from scheduling.assignment import promote

log = structlog.get_logger()
#: Tasks handed to a worker at once, and the number left at which it gets more.
BATCH = 64
LOW = 24
#: Seconds that a task runs before its start is reported without its end.
REPORT_START = 0.02


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
        fetch: Callable[[int, Callable[[Inputs], None]], None],
    ) -> None:
        self.inbox: SimpleQueue[dict[str, Any] | tuple[int, Inputs]] = SimpleQueue()
        self._fetch = fetch
        self._session = session
        self._room = dict(room)
        self._reports = reports
        self._journal = journal
        self._list = Entries()
        self._highest = 0
        self._zygote = Zygote(folder)
        self._busy: dict[int, Worker] = {}
        self._idle: dict[Any, list[Worker]] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._selector.register(self._zygote.socket, selectors.EVENT_READ, None)
        self._looked = 0.0

    def deliver(self, arrived: dict[str, Any] | tuple[int, Inputs]) -> None:
        """Take a command, or the inputs of a stage, from another thread."""
        self.inbox.put(arrived)
        self.wake()

    def wake(self) -> None:
        """Make the loop turn; safe in threads and signal handlers."""
        try:
            os.write(self._wake, b"!")
        except BlockingIOError:
            return

    def step(self, timeout: float) -> float:
        """Wait for something to happen and do what follows; return how long the next wait may be."""
        ready = self._selector.select(timeout)
        for key, _ in ready:
            if key.data is not None:
                self._read(key.data)
            elif key.fd == self._woken:
                os.read(self._woken, 4096)
            else:
                self._hear_zygote()
        self._take_commands()
        self._feed()
        now = time.monotonic()
        if now - self._looked >= REPORT_START:
            self._look(now)
        wait = self._reports.flush(now)
        return min(wait, REPORT_START) if self._busy else wait

    def _hear_zygote(self) -> None:
        for event in self._zygote.events():
            log.debug("zygote", **event)

    def _take_commands(self) -> None:
        while True:
            try:
                arrived = self.inbox.get_nowait()
            except Empty:
                return
            if isinstance(arrived, tuple):
                self._list.stages[arrived[0]].fetched(arrived[1])
                continue
            command = Command.decode(arrived)
            if command.session == self._session and command.number > self._highest:
                self._obey(command)

    def _obey(self, command: Command) -> None:
        self._highest = command.number
        for id_, described in command.stages.items():
            for producer in self._list.learn(id_, described):
                for index, result in self._reports.results_of(producer):
                    self._list.stages[id_].give(producer, index, result)
            if any(item["fetch"] for item in described["inputs"]):
                self._fetch(id_, lambda inputs, id_=id_: self.deliver((id_, inputs)))
        for launch in command.launches:
            self._list.add(launch)
        self._reports.seen(command.number, command.acknowledged)

    def _read(self, worker: Worker) -> None:
        lines = worker.read()
        if not lines:
            return
        self._journal.write(lines)
        ends = json.loads(b"[" + b",".join(lines.splitlines()) + b"]")
        worker.outstanding -= len(ends)
        finished, followers = self._reports.finished, self._list.followers
        for end in ends:
            if type(end) is list:
                finished(*end)
                if end[0] in followers:
                    self._list.ended(end[0], end[2], end[5])
            else:
                self._reports.other(end)
        if worker.outstanding < LOW:
            self._refill(worker)

    def _refill(self, worker: Worker) -> None:
        """Give a worker more of what it does, if that is what comes next; else let it run dry and free its room."""
        entry: Entry = worker.running
        upcoming = next((entry for entry in self._list.entries if entry.pending and entry.startable), None)
        if upcoming and upcoming.demand == entry.demand and upcoming.stage.key == worker.key:
            self._hand(worker, upcoming)
        elif not worker.outstanding:
            for name, amount in entry.demand.items():
                self._room[name] += amount
            del self._busy[worker.number]
            self._idle.setdefault(worker.key, []).append(worker)

    def _hand(self, worker: Worker, entry: Entry) -> None:
        share = -(-len(entry.pending) // (2 * max(1, len(self._busy))))
        taken, entry.pending = entry.pending.take(max(1, min(BATCH, share)))
        if not entry.pending:
            self._list.prune()
        worker.running = entry
        if entry.stage.id not in worker.known:
            worker.describe(entry.stage.id, entry.stage.describe())
        worker.hand(entry.stage.id, entry.attempt, list(taken))

    def _feed(self) -> None:
        """Start what the list and the room allow."""
        while granted := promote(self._list.entries, self._room):
            queue = deque(granted)
            while queue:
                entry, count = queue.popleft()
                for _ in range(count):
                    if entry.pending:
                        self._start(entry)

    def _start(self, entry: Entry) -> None:
        idle = self._idle.get(entry.stage.key)
        if idle:
            worker = idle.pop()
        else:
            worker = self._zygote.start(entry.stage.key)
            self._selector.register(worker.results, selectors.EVENT_READ, worker)
        for name, amount in entry.demand.items():
            self._room[name] -= amount
        self._busy[worker.number] = worker
        self._hand(worker, entry)

    def _look(self, now: float) -> None:
        """Report starts of what runs for a while, and let idle room take over what waits behind it."""
        self._looked = now
        for worker in self._busy.values():
            claimed, stage, attempt, index, begun, _ = worker.current()
            if worker.outstanding and begun and now - begun / 1e6 > REPORT_START and worker.reported != claimed:
                worker.reported = claimed
                self._reports.started(stage, attempt, index, begun)
