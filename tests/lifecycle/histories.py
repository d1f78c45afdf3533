"""Random histories: jobs of random shapes, agents that report what may happen and what may not, and people who interfere."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from database import rows
from jobs.models import JobType
from nodes.models import Node, Scheduler
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import apply_reports, draining, due_retries, lost_nodes, operations, placing, stopping
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import End, File, Outcome
from switchyard.scheduling.lifecycle.facts import Stopping
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.records import LeaseLost, Records
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.rows import AssignmentRow
from switchyard.scheduling.retry import ExitClass
from switchyard.simulation.memory.rows import TypeRecord
from tests.lifecycle.both import Both
from tests.lifecycle.shapes import KIND, Character, job

SECOND = 1_000_000
#: A long traceback.
BROKEN = "Traceback:\n" + '  File "a.py", line 1, in f\n' * 100 + "ValueError: " + "broken " * 10
#: Jobs that are live at once.
LIVE = 4
Task = tuple[int, int, int]


class History:
    """Goes on step by step; every step is compared."""

    def __init__(self, character: Character, seed: int) -> None:
        # Algorithms see these numbers: a seed is the same history whatever ran before it.
        rows.execute("ALTER SEQUENCE jobs_job_number RESTART")
        self.rng = Random(seed)
        self.character = character
        self.both = Both()
        #: A memory of the leader for each of the two.
        self.memos: dict[bool, Memo] = {}
        self.jobs: list[UUID] = []
        self.nodes = [self.both.register(f"n{number}", cpus=2000, mem=4096) for number in range(3)]
        self.clock = 0
        self.forget()

    def step(self) -> str:
        """Do one of the things that may happen, and return its name."""
        steps = {
            self.submit: 3,
            self.place: 8,
            self.report: 16,
            self.stop: 4,
            self.wait: 2,
            self.silence: self.character.silences,
            self.watch: 2,
            self.begin_anew: 2 * self.character.silences,
            self.give_up: 1,
            self.cancel: self.character.stops,
            self.drain: self.character.stops,
            self.suspend: self.character.suspends,
            self.resume: 2 * self.character.suspends,
            self.settle: self.character.suspends,
            self.checkpoint: self.character.saves / 8,
            self.step_checkpoints: self.character.saves / 2,
            self.save: self.character.saves,
            self.switch: 1,
            self.forget: 1,
            self.lead: 1,
        }
        (chosen,) = self.rng.choices(list(steps), weights=list(steps.values()))
        chosen()
        return chosen.__name__

    def submit(self) -> None:
        live = [job for job in self.both.store.jobs.values() if job.ended_at is None]
        if len(live) < LIVE:
            self.jobs.append(self.both.submit(job(self.rng, self.character)))
            self.both.compare()

    def place(self) -> None:
        self.clock += self.rng.choice([0, 1, 11])

        def place(records: Records) -> Round:
            memo = self.memos[records is self.both.sql]
            return placing.place(records, memo, epoch=self.both.epoch, at=float(self.clock), ask=lambda _: dict)

        self.both.run(place, lambda done: (len(done.assignments), done.more, sorted(done.refused)))

    def report(self) -> None:
        """Let one to three agents report."""
        reports = [self._report(node) for node in self.rng.sample(self.nodes, self.rng.randint(1, 3))]
        blaming = self.rng.random() < 0.8

        def apply(records: Records) -> apply_reports.Applied[Report]:
            measures = self.memos[records is self.both.sql].measures
            return apply_reports.apply(records, reports, measures, epoch=self.both.epoch, blaming=blaming)

        self.both.run(apply, lambda a: (a.acknowledged, a.accepted, a.gaps, a.recalled, a.stopping, dict(a.ends), a.begun))

    def stop(self) -> None:
        """Stop, suspend and drain the jobs that are to be."""

        def stop(records: Records) -> tuple[Stopping, stopping.Stopped]:
            jobs, epoch = records.stopping_jobs(), self.both.epoch
            stopped = stopping.stop(records, jobs.ending, epoch=epoch) if jobs.ending else stopping.Stopped()
            if jobs.suspending:
                stopping.suspend(records, jobs.suspending, stopped, epoch=epoch)
            if jobs.draining:
                draining.drain(records, jobs.draining, stopped, epoch=epoch)
            return jobs, stopped

        self.both.run(stop, lambda told: (told[0], told[1].cancels, told[1].recalls, told[1].deprived, told[1].more))
        self.both.run(stopping.unconfirmed_cancels, lambda told: told.cancels)

    def wait(self) -> None:
        """Let backoffs be over."""
        rows.execute("UPDATE jobs_task SET not_before = not_before - interval '1000 seconds'")
        rows.execute("UPDATE jobs_stage SET next_due = next_due - interval '1000 seconds'")
        store = self.both.store
        for key, task in store.tasks.items():
            if task.not_before is not None:
                store.tasks[key] = replace(task, not_before=task.not_before - 1000)
        for record in store.stages.values():
            if record.row.next_due is not None:
                record.row.next_due -= 1000
        self.both.run(lambda records: due_retries.release(records, epoch=self.both.epoch))

    def silence(self) -> None:
        """Let a node be silent for some time."""
        node, seconds = self.rng.choice(self.nodes), self.rng.choice([0, 40, 70, 200])
        Node.objects.filter(id=node).update(heard_at=timezone.now() - timedelta(seconds=seconds))
        store = self.both.store
        heard = rows.now().timestamp() - seconds
        store.nodes[node] = replace(store.nodes[node], heard_at=heard)
        self.both.run(lambda records: lost_nodes.watch(records, listening=1000.0, epoch=self.both.epoch))

    def watch(self) -> None:
        listening = self.rng.choice([1000.0, 1000.0, 65.0, 35.0, 5.0])
        self.both.run(lambda records: lost_nodes.watch(records, listening=listening, epoch=self.both.epoch))

    def begin_anew(self) -> None:
        """Let an agent begin a new session."""
        node = self.rng.choice(self.nodes)
        cpus = self.rng.choice([1000, 2000, 2000, 4000])
        self.both.register(self.both.store.nodes[node].name, cpus=cpus, mem=4096)
        self.both.compare()

    def give_up(self) -> None:
        """Give up what an agent says that it does not have."""
        node = self.rng.choice(self.nodes)
        missing = {(a.stage, a.attempt): self._some(a.listed) for a in self._list(node) if self.rng.random() < 0.3}
        session = self.both.store.nodes[node].session
        self.both.run(lambda records: lost_nodes.give_up(records, node, session, missing, epoch=self.both.epoch))

    def cancel(self) -> None:
        if self.jobs:
            self.both.cancel(self.rng.choice(self.jobs))

    def drain(self) -> None:
        if self.jobs:
            self.both.drain(self.rng.choice(self.jobs))

    def suspend(self) -> None:
        if self.jobs:
            self.both.suspend(self.rng.choice(self.jobs))

    def resume(self) -> None:
        if self.jobs:
            self.both.resume(self.rng.choice(self.jobs))

    def settle(self) -> None:
        """End operations, some of them for taking too long."""
        if self.rng.random() < 0.3:
            self.both.age(601.0)
        self.both.run(lambda records: operations.settle(records, epoch=self.both.epoch))

    def checkpoint(self) -> None:
        if self.jobs:
            self.both.checkpoint(self.rng.choice(self.jobs))

    def step_checkpoints(self) -> None:
        """Let checkpoints begin and end, at their times."""
        self.both.late(self.rng.choice([0.0, 2.0, 5.0, 20.0]))
        self.both.step()

    def save(self) -> None:
        """Let an agent store states of tasks of one stage, most of them for a checkpoint that asks for them."""
        store, node = self.both.store, self.rng.choice(self.nodes)
        listed = [(row.stage, row.attempt, index) for row in self._list(node) for index in row.started & row.listed]
        if not listed:
            return
        stage, attempt, _ = self.rng.choice(listed)
        chosen = [task for task in listed if task[0] == stage and self.rng.random() < 0.9] or listed[:1]
        strange = (stage, attempt + 1, 0)
        kept = [
            (task, self.rng.choice([-1, 0, 10, 20])) for task in [*chosen, *([strange] if self.rng.random() < 0.1 else [])]
        ]
        job = store.stages[stage].row.job_id
        made = [each for each in store.checkpoints.values() if each.job == job]
        wanted = [each for each in made if each.ended_at is None] or made
        asking = (job, self.rng.choice(wanted).number) if wanted and self.rng.random() < 0.8 else None
        self.both.keep(node, asking, kept)

    def switch(self) -> None:
        """Let operators change how jobs are chosen."""
        store = self.both.store
        store.allocation = self.rng.choice(["fifo", "lifo"])
        Scheduler.objects.filter(id=1).update(allocation=store.allocation)
        most = self.rng.choice([None, 1, 2])
        JobType.objects.filter(name=KIND).update(max_running=most)
        if (KIND, "1") in store.types:
            store.types[KIND, "1"] = TypeRecord(max_running=most)

    def forget(self) -> None:
        """Let another leader go on, which remembers nothing."""
        self.memos = {True: Memo(), False: Memo()}

    def lead(self) -> None:
        """Let a leader try whose epoch is over."""
        for records in (self.both.sql, self.both.memory):
            with pytest.raises(LeaseLost):
                apply_reports.apply(records, [self._report(self.nodes[0])], Measures(), epoch=self.both.epoch - 1)
        self.both.compare()

    def _report(self, node: int) -> Report:
        record = self.both.store.nodes[node]
        number = record.last_report + self.rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 0, 2])
        report = Report(node, record.session or "none", number, pause=0, sent=100 * SECOND)
        for assignment in self._list(node):
            for index in assignment.listed:
                if self.rng.random() < 0.5:
                    self._tell(report, assignment, index)
        if self.rng.random() < 0.1:
            self._tell_nonsense(report)
        return report

    def _tell(self, report: Report, listed: AssignmentRow, index: int) -> None:
        """Let an agent tell what became of a task on its list."""
        task = (listed.stage, listed.attempt, index)
        character, draw = self.character, self.rng.random()
        if listed.recalled and draw < 0.7:
            report.others.append(self._end(task, outcome=Outcome.CANCELED))
        elif draw < character.finished:
            self._finish(report, listed, index)
        elif draw < character.finished + character.failed:
            report.others.append(self._failure(task))
        elif draw < character.finished + character.failed + character.started and index not in listed.started:
            report.starts.append(Started(listed.stage, listed.attempt, [index], [97 * SECOND]))
            report.updates.append(Update(*task, {"loss": 0.5}))
        else:
            report.returns.append(Returned(listed.stage, listed.attempt, [[index, index + 1]]))

    def _finish(self, report: Report, listed: AssignmentRow, index: int) -> None:
        """Let a task end with its result, or also with more to tell."""
        ended, result = 99 * SECOND, self.rng.choice(self.character.results)
        begun = ended - int(self.character.seconds * SECOND)
        stage = self.both.store.stages.get(listed.stage)
        if stage and stage.row.gives_files:
            files = (File("out", f"{index}.bin", f"{listed.stage:064x}", 5, executable=False),)
            task = (listed.stage, listed.attempt, index)
            told = End(*task, begun, ended, Outcome.FINISHED, exit_code=0, result=result, files=files)
            report.others.append(told)
            return
        if self.rng.random() < 0.2:
            task = (listed.stage, listed.attempt, index)
            report.others.append(End(*task, begun, ended, Outcome.FINISHED, exit_code=0, result=result))
            return
        group = Finished(listed.stage, listed.attempt)
        group.add(index, begun, ended, result, self.rng.choice([0, 5]), None)
        report.finished.append(group)

    def _failure(self, task: Task) -> End:
        if self.rng.random() < self.character.unfit:
            unfit = self.rng.choice([ExitClass.LOST, ExitClass.ENVIRONMENT])
            return self._end(task, unfit="no interpreter", error="unfit", exit_class=unfit)
        kind = self.rng.choice(self.character.classes)
        return self._end(
            task,
            error=self.rng.choice(["it broke", BROKEN]),
            exit_code=self.rng.choice([None, 1]),
            exit_class=ExitClass(kind),
        )

    def _end(self, task: Task, **more: Any) -> End:
        return End(*task, begun=self.rng.choice([None, 98 * SECOND]), ended=99 * SECOND, **more)

    def _tell_nonsense(self, report: Report) -> None:
        """Tell of tasks that stand elsewhere, of other attempts, and of none that there are."""
        for _, listed in self.rng.sample(
            sorted(self.both.store.assignments.items()), min(2, len(self.both.store.assignments))
        ):
            strange = replace(listed, attempt=listed.attempt + self.rng.choice([0, 1]), recalled=False)
            for index in [*listed.listed.take(1)[0], 1000]:
                self._tell(report, strange, index)

    def _list(self, node: int) -> list[AssignmentRow]:
        store = self.both.store
        return [a for a in store.assignments.values() if a.node == node and a.session == store.nodes[node].session]

    def _some(self, indexes: IndexSet) -> IndexSet:
        return IndexSet.from_indexes(index for index in indexes if self.rng.random() < 0.5)
