"""Outcomes of tasks, from output and ends of workers: reports, and results for dependents here."""

from collections import defaultdict
from collections.abc import Callable

from msgspec.structs import replace

from switchyard.agent.core import checking, stops
from switchyard.agent.core.checking import Ended
from switchyard.agent.core.ends import Cause, Written, accounted, output, plain_end
from switchyard.agent.core.entries import Entries, Entry
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.ports import Fetcher, Logger, Output, Workers
from switchyard.agent.core.records import Death, Stored
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.stages import Stage
from switchyard.agent.core.states import States
from switchyard.agent.core.stops import Reason
from switchyard.agent.core.workers import Worker
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import Outcome
from switchyard.scheduling.retry import ExitClass

NO_MEMORY = "the machine ran out of memory"
#: What a task counts as that the kernel has ended for want of memory, if nobody looks further.
MAYBE_MEMORY = ExitClass.KILLED, ExitClass.USER_ERROR


class Ends:
    """Reads how tasks ended."""

    def __init__(
        self,
        *,
        entries: Entries,
        floor: Floor,
        reports: Reports,
        journal: Notes,
        fetcher: Fetcher,
        workers: Workers,
        output: Output,
        log: Logger,
        moment: Moment,
        fault: Callable[[str], None],
        states: States,
    ) -> None:
        self._list = entries
        self._floor = floor
        self._reports = reports
        self._journal = journal
        self._fetcher = fetcher
        self._workers = workers
        self._output = output
        self._log = log
        self._moment = moment
        self._fault = fault
        self._states = states
        self._storing: dict[tuple[int, int, int], Written] = {}

    @property
    def settled(self) -> bool:
        """Say whether every end that was read is in a report."""
        return not self._storing

    def storing(self) -> list[Written]:
        """Return the ends that wait until their result or files are at the server."""
        return list(self._storing.values())

    def all_storing(self) -> list[tuple[int, int, IndexSet]]:
        """Return the tasks of these ends, as stage, attempt and indexes."""
        return [(stage, attempt, IndexSet.span(index, index + 1)) for stage, attempt, index in self._storing]

    def told(self, stage: int, attempt: int) -> IndexSet:
        """Return the tasks whose ends are told or will be, and not acknowledged."""
        storing = [index for id_, number, index in self._storing if (id_, number) == (stage, attempt)]
        return self._reports.told(stage, attempt) | IndexSet.from_indexes(storing)

    def read(self, worker: Worker, lines: bytes) -> None:
        """Take the lines that a worker has written."""
        ends, lines, garbage = checking.take(lines, worker)
        if garbage:
            self._log.error("a worker's process wrote what is no end of a task", worker=worker.number, garbage=garbage)
            worker.disown(garbage)
        if ends:
            self._journal.write(lines)
            self._read(worker, ends)

    def _read(self, worker: Worker, ends: list[Ended]) -> None:
        worker.finish(len(ends), self._moment.now)
        finished, followers = self._reports.finished, self._list.followers
        results: dict[int, list[tuple[int, str]]] = defaultdict(list)
        plain = worker.stop is None
        for end in ends:
            if plain and type(end) is list:
                finished(*end)
                if end[0] in followers:
                    results[end[0]].append((end[2], end[5]))
            elif type(end) is dict:
                self._skip(worker, *end["skipped"])
            else:
                self._take(worker, end if isinstance(end, Written) else plain_end(*end))
        for stage, values in results.items():
            self._list.ended(stage, values)
        self._measure(ends[-1])
        self._floor.refill(worker)

    def died(self, worker: Worker, death: Death) -> None:
        """Take the end of a worker process, and of the task that it had begun; all that it wrote was read before."""
        page, why = death.page, _garbled(worker) or _classify(death)
        for task in self._floor.lose(worker):
            end = Written(
                *task,
                begun=page.begun,
                ended=self._moment.microseconds,
                exit_class=why.exit_class,
                exit_code=why.exit_code,
                error=why.error,
            )
            if task == page.task:
                end = replace(end, stdout=death.stdout, stderr=death.stderr)
            self._journal.ended(end)
            self._take(worker, end)
        # What it had read and not begun is on the list again, and may be older than a pause that was confirmed.
        self.give_back(self._list.take_paused(self._reports.pause))
        self._workers.bury(worker)

    def unfit(self, entry: Entry, why: str) -> None:
        """Tell of a stage, by one of its tasks, that no task of it can be run on this machine."""
        first, entry.pending = entry.pending.take(1)
        for index in first:
            end = Written(
                entry.stage.id,
                entry.attempt,
                index,
                ended=self._moment.microseconds,
                exit_class=ExitClass.LOST,
                error=f"the node could not run the task: {why}",
                unfit=why,
            )
            self._journal.ended(end)
            self._report(end)

    def lose_one(self, stage: Stage, why: str) -> None:
        """Tell of one task of a stage that has not begun that it is lost with the node."""
        entry = next(entry for entry in self._list.entries if entry.stage is stage)
        [index], entry.pending = entry.pending.take(1)
        self._list.prune()
        now = self._moment.microseconds
        end = Written(stage.id, entry.attempt, index, ended=now, exit_class=ExitClass.LOST, error=why)
        self._journal.ended(end)
        self._report(end)

    def cancel(self, stage: int, attempt: int, wanted: IndexSet) -> None:
        """Report tasks as canceled whose files are on their way to the server: nobody waits for these any more."""
        for task, end in list(self._storing.items()):
            if end.unstored and task[:2] == (stage, attempt) and task[2] in wanted:
                del self._storing[task]
                self._fetcher.abandon(task)
                told = stops.canceled(end)
                self._journal.ended(told)
                self._report(told)

    def take(self, told: Written) -> None:
        """Take an end that a predecessor has journaled and not reported; a state that it had not stored is gone."""
        told = replace(told, unsaved=False)
        self._journal.ended(told)
        self._finish(told)

    def _skip(self, worker: Worker, stage: int, attempt: int, index: int) -> None:
        """Give back what a worker has read and not run, as what it comes after gave nothing."""
        if worker.stop and worker.stop.task == (stage, attempt, index):
            worker.clear()
        self.give_back([(stage, attempt, IndexSet.span(index, index + 1)), *self._list.take_dependents(stage, index)])

    def _take(self, worker: Worker, told: Written) -> None:
        if told.fault:
            self._fault(told.fault)
        end = self._ship(worker, told)
        if end.exit_class in MAYBE_MEMORY and worker.ran_out(killed=end.exit_class is ExitClass.KILLED):
            why = Reason.MEMORY if worker.mem else NO_MEMORY
            end = replace(end, exit_class=ExitClass.OUT_OF_MEMORY, error=f"{why}: {end.error}")
            self._journal.ended(end)
        stop, task = worker.stop, (end.stage, end.attempt, end.index)
        if stop and stop.task == task:
            ours = stops.is_ours(stop, end)
            if ours:
                end = stops.overrule(stop, end)
                self._journal.ended(end)
            if worker.key[0] == "command" or not ours:
                worker.stop = None
            else:
                worker.clear()
        if end.outcome is Outcome.FINISHED or not self._states.ended(worker, task, lambda: self._saved(end)):
            self._finish(end)
        else:
            self._storing[task] = waiting = replace(end, unsaved=True)
            self._journal.ended(waiting)

    def _saved(self, end: Written) -> None:
        """Tell the end of a task whose last state is at the server: its next attempt goes on from there."""
        del self._storing[end.stage, end.attempt, end.index]
        self._journal.ended(end)
        self._finish(end)

    def _finish(self, end: Written) -> None:
        if end.unstored:
            self._store_files(end)
        elif end.file and end.result_digest:
            self._store(end, end.file, end.result_digest)
        else:
            self._report(end)

    def _report(self, end: Written) -> None:
        self._reports.other(end.reported())
        if end.stage in self._list.followers:
            if end.outcome is Outcome.FINISHED and end.result is not None:
                self._list.ended(end.stage, [(end.index, end.result)])
            else:
                self.give_back(self._list.take_dependents(end.stage, end.index))
        if end.exit_class in (ExitClass.UNLOADABLE, ExitClass.ENVIRONMENT) or end.unfit:
            self._spare(end.stage, end.attempt)
        known = self._list.stages.get(end.stage)
        if known and known.failed:
            known.have_told()

    def _store(self, end: Written, path: str, digest: str) -> None:
        """Keep an end to ourselves until its result, which is large, is at the server."""
        task = (end.stage, end.attempt, end.index)
        self._storing[task] = end

        def stored(done: Stored) -> None:
            del self._storing[task]
            told = replace(end, file=None) if done is True else _not_stored(end, done)
            self._journal.ended(told)
            self._output.discard(path)
            self._report(told)

        self._fetcher.store(digest, path, stored)

    def _store_files(self, end: Written) -> None:
        """Keep an end to ourselves until its files are at the server: who needs the task finds all of them there."""
        task = (end.stage, end.attempt, end.index)
        self._storing[task] = end

        def stored(done: Stored) -> None:
            if self._storing.get(task) is not end:
                return  # It was canceled meanwhile.
            del self._storing[task]
            told = replace(end, unstored=False) if done is True else _lacking_files(end, done)
            self._journal.ended(told)
            self._finish(told)

        self._fetcher.store_files(task, end.files or (), stored)

    def _spare(self, stage: int, attempt: int) -> None:
        """Give back the other tasks of a stage that cannot be run here: one says it all."""
        self._floor.take_back_of(stage, attempt)
        everything = IndexSet.span(0, 2**31 - 1)
        self.give_back([(stage, attempt, self._list.take(stage, attempt, everything))])

    def give_back(self, tasks: list[tuple[int, int, IndexSet]]) -> None:
        for stage, attempt, indexes in tasks:
            if indexes:
                self._journal.returned(stage, attempt, indexes)
                self._reports.returned(stage, attempt, indexes)

    def _ship(self, worker: Worker, end: Written) -> Written:
        """Ship what a task wrote; return its end with how much that is."""
        written = output(end, worker.folder)
        for log in written:
            self._output.finish(log)
        return accounted(end, written, self._output.cap)

    def _measure(self, end: Ended) -> None:
        if isinstance(end, dict):
            return
        stage, begun, ended = (end[0], end[3], end[4]) if isinstance(end, list) else (end.stage, end.begun, end.ended)
        known = self._list.stages.get(stage)
        if known and begun is not None:
            known.pace = (ended - begun) / 1e6
            if known.build:
                known.have_told()


def _not_stored(end: Written, done: Stored) -> Written:
    """Return as a failure the end of a task whose result could not be stored."""
    error = "its result could not be stored at the server"
    return replace(
        end,
        file=None,
        outcome=Outcome.FAILED,
        result_digest=None,
        error=f"{error}: {done}" if isinstance(done, str) else error,
        exit_class=ExitClass.LOST if isinstance(done, str) else ExitClass.USER_ERROR,
    )


def _lacking_files(end: Written, done: Stored) -> Written:
    """Return as a failure the end of a task whose files could not be stored."""
    if isinstance(done, str):
        why = f"its files could not be stored at the server: {done}"
    else:
        why = (
            "the server does not take its files"
            if done is None
            else "its files have gone from the node before they were stored"
        )
    return replace(
        end,
        unstored=False,
        file=None,
        files=None,
        outcome=Outcome.FAILED,
        result=None,
        result_digest=None,
        error=why,
        exit_class=ExitClass.USER_ERROR if done is None else ExitClass.LOST,
    )


def _garbled(worker: Worker) -> Cause | None:
    """Return why the task of a worker failed whose process did not write what it should; None if it did."""
    if not worker.garbage:
        return None
    error = f"its process wrote {worker.garbage} to the agent, which is no end of a task; the process was ended"
    return Cause(ExitClass.USER_ERROR, error)


def _classify(death: Death) -> Cause:
    """Return what the end of its worker's process says about a task."""
    status = death.status
    if death.out_of_memory:
        return Cause(ExitClass.OUT_OF_MEMORY, NO_MEMORY, status)
    exit_class = ExitClass.KILLED if status < 0 else ExitClass.USER_ERROR
    said = f"was ended by {death.signal}" if status < 0 else f"exited with {status} in the middle of the task"
    return Cause(exit_class, f"its process {said}: {death.last_line}" if death.last_line else f"its process {said}", status)
