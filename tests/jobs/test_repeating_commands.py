"""What becomes of commands that an agent does not take: no copies pile up, and its node is not READY."""

from collections.abc import Callable

import pytest
import redis

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job
from nodes import reading, selectors
from nodes.models import Event
from switchyard.leader import dispatch
from switchyard.messaging.messages import queue_of
from tests.jobs.agents import ListAgent, turn
from tests.jobs.clocks import SetClock
from tests.people import ANN

Submit = Callable[..., Job]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def leader(leader: Leader, clock: SetClock) -> Leader:
    """Give a leader whose clock the test sets."""
    return Leader(leader.epoch, clock=clock)


@pytest.fixture
def long_after(leader: Leader, clock: SetClock) -> Callable[[float], None]:
    """Let a leader's tick happen so many seconds later than it does."""

    def tick(seconds: float) -> None:
        clock.ahead = seconds
        leader.tick()
        clock.ahead = 0.0

    return tick


def test_what_waits_in_the_broker_is_not_sent_again(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis, long_after: Callable[[float], None]
) -> None:
    submitted = job({"a": {"parallelism": 4}})
    turn(leader)
    control.cancel(ANN, submitted.id)
    turn(leader)
    for second in range(20):
        long_after(second)
    assert broker.llen(queue_of(agent.session)) <= dispatch.WAITING + 1
    broker.flushdb()
    long_after(60)
    assert broker.llen(queue_of(agent.session)) == 2


def test_a_node_that_confirms_nothing_is_not_ready_until_it_does(
    leader: Leader, agent: ListAgent, job: Submit, long_after: Callable[[float], None]
) -> None:
    def state() -> str:
        return str(reading.node("n1")["state"])  # type: ignore[index]

    job({"a": {"parallelism": 9}})
    turn(leader)
    long_after(dispatch.DEAF - 5)
    assert state() == "READY"
    long_after(dispatch.DEAF + 5)
    assert state() == "DEAF"
    assert [c["title"] for c in reading.node("n1")["conditions"]] == ["The agent takes no commands"]  # type: ignore[index]
    assert [node.unavailable for node in selectors.ask_nodes()()] == ["taking no commands"]
    successor = Leader(leader.epoch)
    successor.dispatcher.send_all()
    successor.tick()
    assert state() == "DEAF", "another leader knows it"
    agent.listen()
    turn(leader, agent.report())
    long_after(dispatch.DEAF + 6)
    assert state() == "READY"
    assert reading.node("n1")["conditions"] == []  # type: ignore[index]
    assert Event.objects.filter(kind__in=("node_deaf", "node_takes")).count() == 2


def test_the_queue_of_a_session_goes_with_it(leader: Leader, job: Submit, broker: redis.Redis) -> None:
    agent = ListAgent(broker, folder="n1")
    job({"a": {}})
    turn(leader)
    assert broker.exists(queue_of(agent.session))
    ListAgent(broker, folder="n1", last=agent.secret)
    leader.tick()
    assert not broker.exists(queue_of(agent.session))
