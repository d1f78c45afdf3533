"""The world of one run: every process, and all that lies between them."""

from collections.abc import Callable
from functools import partial
from random import Random
from uuid import UUID

from switchyard.leader.reconciliation import Difference
from switchyard.messaging.messages import Command
from switchyard.scheduling.placement.base import STRATEGIES
from switchyard.simulation import invariants, work
from switchyard.simulation.agents import Agent
from switchyard.simulation.broken import Broken
from switchyard.simulation.broker import Broker
from switchyard.simulation.candidates import Candidate
from switchyard.simulation.checkpointing import Checkpointing
from switchyard.simulation.database import Database
from switchyard.simulation.fates import Fates
from switchyard.simulation.machines import Machine
from switchyard.simulation.network import Network
from switchyard.simulation.server import Server
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline
from switchyard.simulation.truth import Execution, Truth

#: Seconds until a killed process is started again.
RESTART = 2.0
#: Seconds after which a user looks again whether a job that was resumed still is.
RESUMED_EVERY = 30.0
CANDIDATES = ("leader-a", "leader-b")


class World:
    """Made from a seed; `timeline.step` lets it go on."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.timeline = Timeline()
        self.story = Story(self.timeline)
        self.truth = Truth(self.timeline, self._begun)
        self.network = Network(self.timeline, _random(seed, "network"))
        self.broker = Broker(self.timeline, _random(seed, "broker"), self.story, self.network)
        self.database = Database(self.timeline, self._committed)
        self.checkpointing = Checkpointing(self.database, partial(self.story.note, "records"))
        self.server = Server(self.database, _random(seed, "server"))
        self.server.least = self.checkpointing.least
        self.database.store.strategy = _random(seed, "policy").choice(sorted(STRATEGIES))
        self.database.store.allocation = _random(seed, "policy").choice(("fifo", "lifo"))
        self.server.most = _random(seed, "types").choice((None, None, 1, 2))
        self._pace = _random(seed, "pace").choice((0.001, 0.02, 0.1))
        self._checked: list[object] = []
        self.transitions = invariants.Transitions()
        self._random = random = _random(seed, "world")
        fates = Fates(seed)
        self.machines = [
            Machine(
                f"agent-{number}", {"cpus": random.choice((2000, 4000))}, self.timeline, self.story, self.truth, fates, random
            )
            for number in range(1, random.choice((2, 3, 4)) + 1)
        ]
        self.agents = {machine.name: self._agent(machine) for machine in self.machines}
        self.candidates: dict[str, Candidate] = {}
        self.candidates |= {name: self._candidate(name) for name in CANDIDATES}
        self.submissions = work.draw(
            _random(seed, "work"),
            _random(seed, "states"),
            jobs=random.randint(1, 4),
            within=random.choice((10.0, 40.0, 70.0)),
        )
        self.submitted = 0
        for submission in self.submissions:
            self.timeline.at(submission.at, self._submission(submission))

    def random(self, of: str) -> Random:
        """Return a source of chance of its own for something."""
        return _random(self._seed, of)

    @property
    def leader(self) -> Candidate | None:
        """The process that leads by the records, if it is alive."""
        found = self.candidates.get(self.database.holder)
        return found if found and found.alive else None

    def left(self) -> str:
        """Return what is still held or runs; nothing of it is to be left once all jobs have ended."""
        for node in self.database.store.nodes.values():
            if any(held for _, _, held in node.resources.values()):
                return f"node {node.name} holds {node.resources} (total, capacity, held)"
        for checkpoint in self.database.store.checkpoints.values():
            if checkpoint.ended_at is None:
                return f"{checkpoint} is in progress"
        for operation in self.database.store.operations.values():
            if operation.ended is None:
                return f"{operation} is in progress"
        for agent in self.agents.values():
            if agent.session is None:
                return f"{agent.name} has no session"
            machine = agent.session.machine
            if not machine.idle or machine.floor.room != agent.machine.totals:
                return f"{agent.name} has room {machine.floor.room} of {agent.machine.totals}, or something to report"
        return f"{self.truth.running[0]} runs" if self.truth.running else ""

    def _begun(self, execution: Execution) -> None:
        """Raise Broken if something runs that may not begin now."""
        for name, broken in invariants.OF_BEGINNINGS:
            for what in broken(self.database, execution, self.truth.finished):
                raise Broken(name, what)
        for what in self.checkpointing.begins(execution):
            raise Broken("I19", what)

    def _differ(self, found: Difference) -> None:
        """Raise Broken if an agent does not have what stands on its list, or more, and nothing was forgotten."""
        self.story.note("leader", f"finds that {found.session} lacks {found.missing}, and has beyond its list {found.extra}")
        if not self.truth.forgiven_until:
            raise Broken("I2", f"{found.session} lacks {found.missing} of its list, and has beyond it {found.extra}")

    def _obeys(self, command: Command) -> None:
        """Raise Broken if an agent is told that a report is applied which the records do not know."""
        for node in self.database.store.nodes.values():
            if node.session == command.session and command.acknowledged > node.last_report and not self.truth.forgives:
                raise Broken(
                    "I3", f"{node.name} is told that report {command.acknowledged} is applied: {node.last_report} was last"
                )

    def _committed(self) -> None:
        store, leader = self.database.store, self.leader
        led_since = leader.led_since if leader and leader.works else self.timeline.now
        for what in self.checkpointing.committed(self.timeline.now, led_since):
            raise Broken("I18", what)
        seen = [dict(table) for table in (store.jobs, store.stages, store.tasks, store.assignments)]
        if seen == self._checked:
            return
        self._checked = list(seen)
        for name, broken in invariants.INVARIANTS:
            if broken is invariants.fed and self.truth.forgiven_until:
                continue  # What ran before the records forgot it may end before what it needs has run again.
            for what in broken(store):
                raise Broken(name, what)
        for what in self.transitions.broken(store, self.server.submitted):
            raise Broken("I3", what)

    def _submission(self, submission: work.Submission) -> Callable[[], None]:
        def submit() -> None:
            job = self.server.submit(submission.job)
            self.submitted += 1
            stages = ", ".join(f"{stage.name} x {stage.tasks}" for stage in submission.job.in_order())
            self.story.note("user", f"submits {submission.job.name}: {stages}")
            if submission.canceled_at is not None:
                self.timeline.at(submission.canceled_at, lambda: self._ask("cancels", self.server.cancel, job))
            if submission.drained_at is not None:
                self.timeline.at(submission.drained_at, lambda: self._ask("drains", self.server.drain, job))
            if submission.suspended_at is not None and submission.resumed_at is not None:
                self.timeline.at(submission.suspended_at, lambda: self._ask("suspends", self.server.suspend, job))
                self.timeline.at(submission.resumed_at, lambda: self._resume(job))
            for at in submission.checkpoints_at:
                self.timeline.at(at, lambda: self._ask("wants a checkpoint of", self.server.checkpoint, job))

        return submit

    def _resume(self, job: UUID) -> None:
        """Resume a job, and see to it that it stays so: the database may forget it."""
        known = self.database.store.jobs.get(job)
        if known and known.row.suspended:
            self._ask("resumes", self.server.resume, job)
        if known is None or known.ended_at is None:
            self.timeline.after(RESUMED_EVERY, lambda: self._resume(job))

    def _ask(self, verb: str, what: Callable[..., None], job: object) -> None:
        self.story.note("user", f"{verb} job {job}")
        what(job)

    def _agent(self, machine: Machine) -> Agent:
        def restart() -> None:
            self.agents[machine.name] = self._agent(machine)

        died = partial(self.timeline.after, RESTART, restart)
        return Agent(machine, self.broker, self.network, self.server, self._random, died, self._obeys)

    def _candidate(self, name: str) -> Candidate:
        def restart() -> None:
            self.candidates[name] = self._candidate(name)

        died = partial(self.timeline.after, RESTART, restart)
        return Candidate(
            name, self.timeline, self.story, self.broker, self.database, self.server, self._pace, self._differ, died
        )


def _random(seed: int, of: str) -> Random:
    return Random(f"{seed} {of}")
