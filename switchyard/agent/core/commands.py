"""Apply the server's commands to the list and to running tasks. Session and number fence each command."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from switchyard.agent.core import stops
from switchyard.agent.core.entries import Entries, Entry, Tasks
from switchyard.agent.core.environments import Environments
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.outcomes import Ends
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.ports import Fetcher, Logger
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.stages import Stage
from switchyard.agent.core.states import States
from switchyard.agent.core.stops import Reason
from switchyard.agent.core.workers import Worker
from switchyard.messaging.messages import Command, Launch
from switchyard.scheduling.indexes import IndexSet

EVERYTHING = IndexSet.span(0, 2**31 - 1)
#: Seconds that a task has, which is to be suspended, to come to where it saves its last state.
SAVING = 10.0


class Orders:
    """Obeys the commands of one session."""

    def __init__(
        self,
        *,
        session: str,
        entries: Entries,
        floor: Floor,
        ends: Ends,
        reports: Reports,
        journal: Notes,
        fetcher: Fetcher,
        environments: Environments,
        highest: int,
        log: Logger,
        moment: Moment,
        states: States,
    ) -> None:
        self._session = session
        self._list = entries
        self._floor = floor
        self._ends = ends
        self._reports = reports
        self._journal = journal
        self._fetcher = fetcher
        self._environments = environments
        self._highest = highest
        self._log = log
        self._moment = moment
        self._states = states
        self._canceled: dict[tuple[int, int], IndexSet] = {}
        #: Until when tasks may save a last state before they are ended, by stage and attempt.
        self._saving: dict[tuple[int, int], float] = {}
        self.leaving = False

    def obey(self, command: Command, now: float) -> None:
        """Do what a command says, unless it is old or for another session.

        First what a pause asks back, so that a command may end a pause and launch; last what recalls and cancels ask
        back, so that they win over a launch in the same command. A command that launches tasks of a stage which is
        not known (any more) is not confirmed, so that it comes again with a description; nor is one that launches what was
        returned, and was sent before the leader knew. Nor is one that launches nothing: nobody waits for that, and its
        acknowledgement would ask for the next, for ever.
        """
        if command.session != self._session or command.number <= self._highest:
            return
        self._highest = command.number
        if command.recalls or command.cancels or command.pause > self._reports.pause:
            self._journal.obeyed(command.number)
        if command.pause > self._reports.pause:
            self.return_all()
            self._reports.paused(command.pause)
        fresh = [stage for id_, told in command.stages.items() if (stage := self._list.learn(id_, told))]
        for stage in fresh:
            self._prepare(stage)
        returned = self._reports.returned_beyond(command.acknowledged) if command.launches else []
        known = [launch for launch in command.launches if self._may_take(launch, returned)]
        new = [entry for launch in known if (entry := self._launch(launch, now))]
        for stage in {entry.stage.id: entry.stage for entry in new if entry.remote}.values():
            self._ask(stage)
        if new:
            self._journal.launched(command.number, ((e.number, e.stage.id, e.attempt, e.pending) for e in new))
        self._ask_back(command, now)
        self._reports.acknowledged(command.acknowledged)
        if command.launches and len(known) == len(command.launches):
            self._reports.seen(command.number)

    def _ask_back(self, command: Command, now: float) -> None:
        """Return, end and save what a command asks for."""
        for stage, attempt, ranges in command.recalls:
            self._recall(stage, attempt, IndexSet.of(ranges))
        for stage, attempt, ranges, *save in command.cancels:
            if any(save):
                self._saving.setdefault((stage, attempt), now + SAVING)
            self._cancel(stage, attempt, IndexSet.of(ranges))
        for stage, attempt, ranges, checkpoint in command.checkpoints:
            self._states.ask(stage, attempt, IndexSet.of(ranges), checkpoint)

    @property
    def highest(self) -> int:
        """The number of the last command obeyed."""
        return self._highest

    def return_all(self) -> None:
        """Return everything that has not begun."""
        self._floor.take_back_all()
        self._ends.give_back(self._list.take_all())

    def stop_canceled(self, now: float) -> None:
        """End what runs and was canceled; once more, because a task may have begun while it was being canceled.

        What its worker has not begun after all, as it died, is returned.
        """
        for (stage, attempt), indexes in list(self._canceled.items()):
            self._ends.give_back([(stage, attempt, self._list.take(stage, attempt, indexes))])
            left = indexes & self._floor.begun(stage, attempt)
            if left:
                self._canceled[stage, attempt] = left
            else:
                del self._canceled[stage, attempt]
                self._saving.pop((stage, attempt), None)
        for worker in self._floor.busy.values() if self._canceled else ():
            status = worker.status()
            if status.claimed > worker.ended and status.index in self._canceled.get(
                (status.stage, status.attempt), IndexSet()
            ):
                grace = worker.handed[0].entry.stage.grace
                if worker.stop is None:
                    stops.begin(worker, status, Reason.CANCELED, now, grace=grace, patience=self._patience(worker, now))

    def _patience(self, worker: Worker, now: float) -> float:
        """Return for how many seconds a task that is to be suspended may go on, to save its last state."""
        status = worker.status()
        left = self._saving.get((status.stage, status.attempt), 0.0) - now
        return left if left > 0 and self._states.finish(worker) else 0.0

    def _prepare(self, stage: Stage) -> None:
        """Get what a stage's tasks need beside their inputs."""
        if stage.left_out:
            self._want(stage, partial(self._describe, stage))
        else:
            self._give_ended(stage)
        digest = stage.spec.get("files_digest")
        if digest:
            self._want(stage, partial(self._get_files, stage, digest))

    def _give_ended(self, stage: Stage) -> None:
        """Give a stage what it needs of what has ended here."""
        for producer in stage.known:
            if stage in self._list.followers.get(producer, ()):
                stage.give(producer, self._reports.results_of(producer))

    def _may_take(self, launch: Launch, returned: list[Tasks]) -> bool:
        """Say whether the stage of a launch is known, and the leader knew of all that was returned of its tasks."""
        if launch.stage not in self._list.stages:
            return False
        if launch.entry in self._list.numbers or not returned:
            return True
        tasks = IndexSet.of(launch.ranges)
        return not any(
            tasks & back for stage, attempt, back in returned if (stage, attempt) == (launch.stage, launch.attempt)
        )

    def _launch(self, launch: Launch, now: float) -> Entry | None:
        """Put an entry on the list and return it, if it is new, the agent stays, and no pause has settled since.

        An entry is taken once: one that was returned at once does not come back with the same command sent again.
        """
        if launch.entry in self._list.numbers:
            return None
        indexes, number = IndexSet.of(launch.ranges), IndexSet.span(launch.entry, launch.entry + 1)
        if self.leaving or launch.pause < self._reports.pause:
            # First that it is returned: a successor that knew the number alone would neither take nor return it.
            self._ends.give_back([(launch.stage, launch.attempt, indexes)])
            self._list.numbers |= number
            self._journal.known(number)
            return None
        entry = self._list.add(launch, now, {stage: self._here(stage) for stage, _, _ in launch.after})
        stage = entry.stage
        if stage.left_out and not stage.wanted:
            self._want(stage, partial(self._describe, stage))
        missing = indexes - stage.items if stage.spec.get("foreach") is not None else IndexSet()
        if missing:
            self._want(stage, partial(self._get_items, stage, missing.ranges[0][0], missing.ranges[-1][1]))
        if launch.attempt or stage.restored_from:
            self._want(stage, partial(self._get_states, stage, launch.attempt, indexes.ranges[0][0], indexes.ranges[-1][1]))
        self._environments.need(stage)
        refused, stage.refused = stage.refused, []
        for fetch in refused:
            fetch()
        return entry

    def _here(self, stage: int) -> IndexSet:
        """Return the tasks of a stage that are on the list or with workers: their results will come from here."""
        here = self._floor.tasks_of(stage)
        for entry in self._list.entries:
            if entry.stage.id == stage:
                here |= entry.pending
        return here

    def _ask(self, stage: Stage) -> None:
        """Ask the server for the inputs that entries of a stage lack and that will not come from here; each asks once.

        What arrives meanwhile is asked for next: one question for all of it. What the server does not know either will
        be given back with its entry (switchyard.agent.core.monitor.PATIENCE).
        """
        if stage.asking:
            return
        asking = [entry for entry in self._list.entries if entry.stage is stage and not entry.asked and entry.remote]
        lacking: dict[int, IndexSet] = {}
        for entry in asking:
            entry.asked = True
            for producer, tasks in entry.remote.items():
                lacking[producer] = lacking.get(producer, IndexSet()) | tasks
        if lacking:
            stage.asking = True
            self._fetcher.inputs(stage.id, lacking, lambda inputs: self._have_inputs(stage, inputs))

    def _recall(self, stage: int, attempt: int, wanted: IndexSet) -> IndexSet:
        """Return what has not begun, and what is not known here; return which have begun and not ended."""
        self._floor.take_back_of(stage, attempt)
        taken = self._list.take(stage, attempt, wanted)
        begun = self._floor.begun(stage, attempt) & wanted
        unknown = wanted - taken - begun - self._ends.told(stage, attempt)
        self._ends.give_back([(stage, attempt, taken | unknown)])
        return begun

    def _cancel(self, stage: int, attempt: int, wanted: IndexSet) -> None:
        begun = self._recall(stage, attempt, wanted)
        self._ends.cancel(stage, attempt, wanted)
        if begun:
            self._canceled[stage, attempt] = self._canceled.get((stage, attempt), IndexSet()) | begun

    def _want(self, stage: Stage, fetch: Callable[[], None]) -> None:
        stage.wanted += 1
        fetch()

    def _describe(self, stage: Stage) -> None:
        def have(described: Mapping[str, Any] | None) -> None:
            if described is not None and self._list.stages.get(stage.id) is stage:
                self._list.complete(stage, described)
                self._give_ended(stage)
                self._look(stage)
            self._have(stage, described, partial(self._describe, stage))

        self._fetcher.description(stage.id, have)

    def _get_files(self, stage: Stage, digest: str) -> None:
        def have(folder: str | None) -> None:
            stage.files = folder
            self._have(stage, folder, partial(self._get_files, stage, digest))

        self._fetcher.files(stage.id, digest, have)

    def _get_items(self, stage: Stage, low: int, high: int) -> None:
        def have(items: Mapping[int, Any] | None) -> None:
            stage.give_items(items or {})
            self._have(stage, items, partial(self._get_items, stage, low, high))

        self._fetcher.items(stage.id, low, high, have)

    def _get_states(self, stage: Stage, attempt: int, low: int, high: int) -> None:
        def have(states: Mapping[int, Any] | None) -> None:
            stage.give_states(states or {})
            self._have(stage, states, partial(self._get_states, stage, attempt, low, high))

        self._fetcher.states(stage.id, attempt, low, high, have)

    def _look(self, stage: Stage) -> None:
        """Find out what entries of a stage need that has just been described, and ask for what will not come from here."""
        for entry in self._list.entries:
            if entry.stage is stage:
                entry.local = {producer: self._here(producer) for producer in entry.local}
                entry.look()
        self._ask(stage)

    def _have_inputs(self, stage: Stage, inputs: Mapping[int, Mapping[str, Any]] | None) -> None:
        stage.asking = False
        if inputs is None:
            self._give_up(stage)
            return
        for producer, outcomes in inputs.items():
            self._list.take_inputs(stage, producer, outcomes)
        self._ask(stage)

    def _have(self, stage: Stage, what: object, again: Callable[[], None]) -> None:
        """Note that something wanted is there; without it, give back what the stage has on the list.

        What was refused is fetched again with the next entry: its tasks had been called back, perhaps, and come again.
        """
        if what is None:
            stage.refused.append(again)
            self._give_up(stage)
            return
        stage.wanted -= 1
        if not stage.wanted:
            self._list.refresh(stage, self._moment.now)

    def _give_up(self, stage: Stage) -> None:
        self._log.warning("what the stage needs is not to be had", stage=stage.id)
        for attempt in {entry.attempt for entry in self._list.entries if entry.stage is stage}:
            everything = self._list.take(stage.id, attempt, EVERYTHING)
            self._ends.give_back([(stage.id, attempt, everything)])
