"""The pool of workers: gives them up to 64 tasks at once, and takes back tasks that have not started.

The room is what its workers leave. Knows nothing of the server, and does not read how tasks ended.
"""

from collections import deque
from collections.abc import Iterable
from itertools import chain

from switchyard.agent.core.entries import Entries, Entry
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.ports import Workers
from switchyard.agent.core.workers import Key, Worker
from switchyard.scheduling.assignment import promote
from switchyard.scheduling.indexes import IndexSet

#: Tasks handed to a worker at once, and the number left at which it gets more.
BATCH = 64
LOW = 24
#: Seconds of work that a worker is handed at most, once it is known how long a task takes.
AHEAD = 0.05
#: Workers that wait for work of their kind beside as many as are busy, and for how many seconds at most.
SPARE = 8
IDLE = 300.0


class Floor:
    """The workers, and what each does."""

    def __init__(self, *, room: dict[str, int], entries: Entries, journal: Notes, starter: Workers, moment: Moment) -> None:
        self._totals = dict(room)
        self.busy: dict[int, Worker] = {}
        self.workers: dict[int, Worker] = {}
        self.frozen = False
        self._idle: dict[Key, list[Worker]] = {}
        self._list = entries
        self._journal = journal
        self._starter = starter
        self._moment = moment

    @property
    def ahead(self) -> bool:
        """Say whether some worker has more to do than what it runs."""
        return any(worker.outstanding > 1 for worker in self.busy.values())

    @property
    def room(self) -> dict[str, int]:
        """What is free, by resource: all that no worker with tasks takes. Never counted along a path."""
        free = dict(self._totals)
        for worker in self.busy.values():
            for name, amount in worker.running.demand.items() if worker.running and worker.outstanding else ():
                free[name] = free.get(name, 0) - amount
        return free

    def supplied(self, seconds: float) -> bool:
        """Say whether all that run have more than so many seconds of work, and nothing waits for what they do."""
        return (
            bool(self.busy)
            and all(each.running and each.outstanding * each.running.stage.pace > seconds for each in self.busy.values())
            and not any(entry.open for entry in self._list.entries)
        )

    def feed(self) -> None:
        """Start what the list and the room allow, after freeing the room of workers that have nothing left to do."""
        for worker in list(self.busy.values()):
            if not worker.outstanding:
                self.refill(worker)
        if self.frozen:
            return
        while granted := promote(self._list.entries, self.room):
            queue = deque(granted)
            while queue:
                entry, count = queue.popleft()
                for _ in range(count):
                    if entry.pending:
                        self._start(entry)
        self._feed_ahead()

    def _feed_ahead(self) -> None:
        """Hand over what waits only for what one worker will have done before: it goes on without asking.

        Nothing is overtaken, and nothing could begin it sooner: the worker will be free, and no other has its inputs.
        """
        last = {worker.last(): worker for worker in self.busy.values() if worker.trusted and worker.outstanding < BATCH}
        for entry in list(self._list.entries) if last else ():
            if entry.startable:
                return
            producer = entry.only_after
            if producer is None:
                continue
            end = (producer, len(entry.open[producer]))
            worker = last.get(end)
            if worker and worker.running and worker.running.demand == entry.demand and worker.key == entry.key:
                del last[end]
                self._hand(worker, entry)
                if worker.outstanding < BATCH:
                    last[worker.last()] = worker

    def refill(self, worker: Worker) -> None:
        """Give a worker more of what it does, if that is what comes next; else let it run dry and free its room."""
        entry = worker.running
        if worker.outstanding >= LOW or entry is None:
            return
        upcoming = None
        if not (self.frozen or worker.stop or worker.retiring):
            upcoming = next((entry for entry in self._list.entries if entry.pending and entry.startable), None)
        if upcoming and upcoming.demand == entry.demand and upcoming.key == worker.key:
            if not worker.outstanding or upcoming.stage.pace < AHEAD / 2:
                self._hand(worker, upcoming)
        elif not worker.outstanding:
            self._release(worker)
            if worker.stop or worker.retiring:
                worker.retire()
            else:
                self._idle.setdefault(worker.key, []).append(worker)

    def take_back(self, worker: Worker) -> None:
        """Put what a worker has not begun back on the list."""
        taken = worker.take_back()
        if taken:
            self._journal.taken_back(worker.number, sum(len(indexes) for _, indexes in taken))
        for entry, indexes in taken:
            self._list.restore(entry, indexes)

    def take_back_of(self, stage: int, attempt: int) -> None:
        """Put what no worker has begun of a stage at an attempt back on the list."""
        for worker in list(self.busy.values()):
            if any((part.entry.stage.id, part.entry.attempt) == (stage, attempt) for part in worker.handed):
                self.take_back(worker)

    def take_back_all(self) -> None:
        """Put all that no worker has begun back on the list."""
        for worker in list(self.busy.values()):
            self.take_back(worker)

    def begun(self, stage: int, attempt: int) -> IndexSet:
        """Return the tasks that workers have; after taking back, those that have begun."""
        return _union(tasks for id_, number, tasks in self.all_tasks() if (id_, number) == (stage, attempt))

    def tasks_of(self, stage: int) -> IndexSet:
        """Return the tasks of a stage that workers have, at any attempt."""
        return _union(tasks for id_, _, tasks in self.all_tasks() if id_ == stage)

    def all_tasks(self) -> list[tuple[int, int, IndexSet]]:
        """Return the tasks that workers have, as stage, attempt and indexes."""
        parts = [part for worker in self.busy.values() for part in worker.handed]
        return [(part.entry.stage.id, part.entry.attempt, IndexSet.from_indexes(part.left())) for part in parts]

    def stages(self) -> set[int]:
        """Return the stages that workers have tasks of."""
        return {part.entry.stage.id for worker in self.busy.values() for part in worker.handed}

    def lose(self, worker: Worker) -> list[tuple[int, int, int]]:
        """Take a worker that has ended off the floor; return what it had begun: one task, none, or all behind garbage.

        A task counts as begun if its page says that it was claimed; all else goes back to the list.
        """
        self.take_back(worker)
        claimed = max(0, worker.status().claimed - worker.ended)
        if worker.outstanding > claimed:
            # Read from the pipe, and not begun any more.
            self._journal.taken_back(worker.number, worker.outstanding - claimed)
            for entry, indexes in worker.drop_last(worker.outstanding - claimed):
                self._list.restore(entry, indexes)
        if worker.number in self.busy:
            self._release(worker)
        for idle in self._idle.values():
            if worker in idle:
                idle.remove(worker)
        del self.workers[worker.number]
        return worker.due()

    def retire_idle(self, now: float) -> None:
        """Let workers end that have been waiting too long, or are too many."""
        for key, idle in list(self._idle.items()):
            for worker in idle:
                worker.idle_since = worker.idle_since or now
            while idle and (now - idle[0].idle_since > IDLE or self._spare() > SPARE):
                idle.pop(0).retire()
            if not idle:
                del self._idle[key]
        self._starter.release_unused(self.workers.values())

    def dismiss(self, home: str) -> None:
        """Let the workers end that wait for work in an environment, by its folder."""
        for key in [key for key in self._idle if key[-1] == home]:
            for worker in self._idle.pop(key):
                worker.retire()

    def _spare(self) -> int:
        return sum(map(len, self._idle.values())) - len(self.busy)

    def _release(self, worker: Worker) -> None:
        worker.running = None
        del self.busy[worker.number]

    def _start(self, entry: Entry) -> None:
        idle = self._idle.get(entry.key)
        worker = idle.pop() if idle else self._new_worker(entry)
        worker.idle_since = 0.0
        worker.trusted = True
        mem = entry.demand.get("mem", 0)
        if mem != worker.mem:
            worker.bound(mem)
        self.busy[worker.number] = worker
        self._hand(worker, entry)

    def _new_worker(self, entry: Entry) -> Worker:
        worker = self._starter.start(entry)
        self.workers[worker.number] = worker
        return worker

    def _hand(self, worker: Worker, entry: Entry) -> None:
        worker.running = entry
        stage, version = entry.stage, entry.stage.version
        known = worker.known.get(stage.id)
        if known is None or known < version:
            worker.describe(stage.id, version, stage.describe(known))
        share = -(-len(entry.pending) // (2 * max(1, len(self.busy))))
        taken, entry.pending = entry.pending.take(min(BATCH, max(1, share), _ahead(entry.stage.pace)))
        if not entry.pending:
            self._list.prune()
        self._journal.handed(worker.number, stage.id, entry.attempt, taken)
        worker.hand(entry, list(taken), version, self._moment.now)


def _union(sets: Iterable[IndexSet]) -> IndexSet:
    return IndexSet.of(chain.from_iterable(each.ranges for each in sets))


def _ahead(pace: float) -> int:
    return max(1, int(AHEAD / pace)) if pace else BATCH
