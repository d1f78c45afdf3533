"""What a leader does when: ticks, renewals of its lease, and how long it has listened."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from switchyard.leader.dispatch import DEAF
from switchyard.leader.lease import RENEWED_EVERY
from switchyard.leader.reconciliation import Difference
from switchyard.leader.turns import STALL, TICK, Turns
from switchyard.messaging.messages import Heartbeat, Report
from switchyard.scheduling.lifecycle.apply_reports import Applied
from switchyard.scheduling.lifecycle.checkpoints import Asked
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.stopping import Stopped
from tests.leader.memory_ports import Surroundings


class Recorded(Turns):
    """Notes the steps that it is asked for; `applied` and `placed` are what came of the next ones."""

    def __init__(self, around: Surroundings) -> None:
        self.steps: list[str] = []
        self.applied: Applied[Report] = Applied()
        self.placed = Round()
        self.deaf: set[str] = set()
        super().__init__(3, around.ports)

    def enter(self, step: str) -> None:
        return

    def apply(self, reports: Sequence[Report]) -> list[Applied[Report]]:
        self.steps.append("apply")
        self.confirm(reports, self.applied)
        return [self.applied]

    def hear(self, beats: Sequence[Heartbeat]) -> set[str]:
        self.steps.append("hear")
        return {beat.session for beat in beats}

    def differ(self, beats: Sequence[Heartbeat], found: Sequence[Difference]) -> Sequence[Difference]:
        return found

    def give_up(self, difference: Difference) -> None:
        self.steps.append("give up")

    def stop(self) -> Stopped:
        self.steps.append("stop")
        return Stopped()

    def place(self) -> Round:
        self.steps.append("place")
        placed, self.placed = self.placed, Round()
        return placed

    def end_operations(self) -> None:
        self.steps.append("operations")

    def unconfirmed_cancels(self) -> Mapping[str, list[list[Any]]]:
        return {}

    def unconfirmed_pauses(self) -> Mapping[str, int]:
        return {}

    def checkpoint(self) -> Asked:
        return {}

    def sessions(self) -> set[str]:
        return {"one"}

    def note_deaf(self, deaf: Collection[str], waiting: Collection[str]) -> bool:
        self.deaf = set(deaf)
        return bool(deaf)

    def refuse(self, nodes: Collection[int], why: str) -> None:
        self.steps.append(f"refuse {sorted(nodes)}")

    def release_due(self) -> None:
        self.steps.append("release")

    def watch_nodes(self) -> None:
        self.steps.append("watch")

    def read_database_clock(self) -> float:
        return self._clock.monotonic()

    def move_times(self, step: float) -> None:
        self.steps.append("move")

    def renew_lease(self) -> None:
        self.steps.append("renew")

    def take(self) -> list[str]:
        """Return the steps since the last call."""
        taken, self.steps = self.steps, []
        return taken


@pytest.fixture
def around() -> Surroundings:
    return Surroundings()


@pytest.fixture
def leader(around: Surroundings) -> Recorded:
    leader = Recorded(around)
    leader.handle([], [], asked=True)
    assert leader.take() == ["stop", "place", "release", "watch", "operations"]
    return leader


def beat(**inventory: Any) -> Heartbeat:
    return Heartbeat(1, "one", 1, {"inventory": {"listed": [], "begun": [], "ended": [], **inventory}})


def test_a_turn_between_ticks_does_what_messages_ask_for(leader: Recorded) -> None:
    leader.handle([Report(1, "one", 1)], [], asked=False)
    assert leader.take() == ["apply", "place"]
    leader.applied = Applied(stopping=True)
    leader.handle([Report(1, "one", 2)], [beat()], asked=False)
    assert leader.take() == ["apply", "hear", "stop", "place"]
    leader.handle([], [], asked=True)
    assert leader.take() == ["stop", "place"]


def test_a_tick_comes_once_a_second_and_renews_the_lease_every_few(leader: Recorded, around: Surroundings) -> None:
    begun, ticks, renewed = around.clock.seconds, list[float](), list[float]()
    for _ in range(40):
        around.clock.seconds += TICK / 4
        leader.handle([], [], asked=False)
        done = leader.take()
        ticks += [around.clock.seconds - begun] * done.count("release")
        renewed += [around.clock.seconds - begun] * done.count("renew")
    assert ticks == [number * TICK for number in range(1, 11)]
    assert renewed == [RENEWED_EVERY, 2 * RENEWED_EVERY, 3 * RENEWED_EVERY]


def test_silence_counts_from_the_last_stall(leader: Recorded, around: Surroundings) -> None:
    for _ in range(10):
        around.clock.seconds += STALL
        leader.handle([], [], asked=False)
    assert leader.listening == 10 * STALL
    around.clock.seconds += STALL + 0.1
    leader.handle([], [], asked=False)
    assert leader.listening == 0


def test_nobody_is_deaf_before_the_leader_has_listened_long_enough(leader: Recorded, around: Surroundings) -> None:
    leader.placed = Round([around.lists.add(5)], described=around.descriptions.read({5}))
    leader.handle([], [], asked=False)
    around.clock.seconds += DEAF + 5
    leader.handle([], [], asked=False)
    assert leader.deaf == set(), "it stood still meanwhile"
    for _ in range(int(DEAF) + 1):
        around.clock.seconds += 1
        leader.handle([], [], asked=False)
    assert leader.deaf == {"one"}


def test_what_an_agent_has_beyond_its_list_it_is_told_to_end(leader: Recorded, around: Surroundings) -> None:
    around.lists.add(5)
    has = {"begun": [[6, 1, [[0, 3]]]]}
    for _ in range(2):
        leader.handle([], [beat(**has)], asked=False)
    assert leader.take() == ["hear", "place", "hear", "give up", "place"]
    assert around.outbox.commands[-1].cancels == [[6, 1, [[0, 3]]]]


def test_an_agent_that_knows_of_a_later_epoch_is_refused(leader: Recorded) -> None:
    leader.handle([], [beat(command=4 << 32)], asked=False)
    assert leader.take() == ["refuse [1]", "hear", "place"]


def test_reports_and_heartbeats_are_acknowledged_at_once(leader: Recorded, around: Surroundings) -> None:
    around.outbox.take()
    leader.applied = Applied(acknowledged={1: 7})
    leader.handle([Report(1, "one", 7)], [beat()], asked=False)
    assert [(command.acknowledged, command.heartbeat) for command in around.outbox.take()] == [(7, 1)]
