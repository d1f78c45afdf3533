"""Gangs: all members run or none does. What becomes of the others when one fails, is lost, or is given back."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.leader import lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Assignment, Attempt, Job, Stage, Task
from jobs.reading.explanations import explain_job
from nodes.models import Node, NodeResource
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import gangs
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]
Named = tuple[int, int, int]
AGAIN = {"attempts": 2, "backoff": {"initial": 0, "jitter": 0}}
GANG = {"parallelism": 4, "gang": True}


@pytest.fixture
def pair(leader: Leader, broker: redis.Redis) -> list[ListAgent]:
    """Give two nodes with two cpus each, so that a gang of four takes both."""
    return [ListAgent(broker, f"n{number}") for number in (1, 2)]


def running(leader: Leader, pair: list[ListAgent]) -> list[list[Named]]:
    """Let every member begin that has been placed; return them by agent."""
    turn(leader)
    for agent in pair:
        agent.listen()
    turn(leader, *(agent.start(agent.tasks()) for agent in pair))
    return [agent.tasks() for agent in pair]


def obey(leader: Leader, agent: ListAgent) -> None:
    """End what the agent was told to end."""
    agent.listen()
    ended = [task for task in agent.tasks() if task[:2] in {(stage, attempt) for stage, attempt, _ in agent.cancels}]
    agent.cancels.clear()
    agent.forget(ended)
    turn(leader, agent.report(others=[agent.end(task, outcome="CANCELED") for task in ended]))


def states() -> list[str]:
    return [TaskState(state).name for state in Task.objects.order_by("index").values_list("state", flat=True)]


def the_job() -> tuple[str, str]:
    job = Job.objects.get()
    return JobState(job.state).name, job.error


def test_a_member_that_fails_ends_the_others_and_all_are_tried_again(
    leader: Leader, pair: list[ListAgent], job: Submit
) -> None:
    job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1], error="rank 0 broke"))
    assert sorted(states()) == ["CANCELING"] * 3 + ["CREATED"]
    obey(leader, one)
    assert "SCHEDULED" not in states()
    obey(leader, other)
    assert states() == ["SCHEDULED"] * 4
    again = running(leader, pair)
    assert {attempt for tasks in again for _, attempt, _ in tasks} == {1}
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))
    assert the_job() == ("FINISHED", "")
    assert sorted(Attempt.objects.values_list("state", "error")) == [(TaskState.CANCELED, None)] * 3 + [
        (TaskState.FAILED, "rank 0 broke")
    ]


def test_what_a_member_had_finished_is_done_again_with_the_others(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    job({"a": GANG, "b": {"parallelism": 4, "needs": [{"stage": "a", "exchange": "pointwise"}]}}, retry=AGAIN)
    one, other = pair
    mine, theirs = running(leader, pair)
    turn(leader, one.finish(mine, "1"))
    assert Stage.objects.get(name="b").counts[TaskState.CREATED] == 4
    turn(leader, other.fail(theirs[:1]))
    obey(leader, other)
    running(leader, pair)
    turn(leader, *(agent.finish(agent.tasks(), "2") for agent in pair))
    assert set(Task.objects.filter(stage__name="a").values_list("result", flat=True)) == {2}
    while any(tasks := running(leader, pair)):
        turn(leader, *(agent.finish(done) for agent, done in zip(pair, tasks, strict=True)))
    assert the_job() == ("FINISHED", "")


def test_tries_are_counted_of_the_gang_and_not_of_its_members(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine))
    obey(leader, other)
    _, theirs = running(leader, pair)
    assert len(theirs) == 2
    turn(leader, other.fail(theirs[:1], error="the second try"))
    obey(leader, one)
    obey(leader, other)
    assert the_job()[0] == "FAILED"
    assert the_job()[1].endswith("the second try")
    assert Job.objects.get().failures == 1


def test_the_failure_of_the_first_member_alone_is_judged(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    job({"a": GANG}, retry=AGAIN | {"on": {"exit_codes": [75]}})
    one, other = pair
    mine, theirs = running(leader, pair)
    turn(leader, one.fail(mine[:1], exit_code=75), other.fail(theirs[:1], exit_code=1))
    turn(leader, one.fail(one.tasks(), exit_code=1))
    obey(leader, other)
    assert states() == ["SCHEDULED"] * 4
    assert set(Task.objects.values_list("failures", flat=True)) == {1}
    running(leader, pair)
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))


def test_a_backoff_holds_the_whole_gang_back(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    job({"a": GANG}, retry={"attempts": 2, "backoff": {"initial": 60, "jitter": 0}})
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1]))
    obey(leader, one)
    obey(leader, other)
    turn(leader)
    assert states() == ["CREATED"] * 4
    Task.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    Stage.objects.update(next_due=timezone.now() - timedelta(seconds=1))
    leader.tick()
    running(leader, pair)
    assert states() == ["RUNNING"] * 4
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))


def test_a_member_that_may_fail_takes_its_gang_with_it_and_the_job_goes_on(
    leader: Leader, pair: list[ListAgent], job: Submit
) -> None:
    job({"a": GANG, "b": {"needs": ["a"]}}, max_failures=1)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1]))
    obey(leader, one)
    obey(leader, other)
    assert sorted(states())[:3] == ["CANCELED"] * 3
    running(leader, pair)
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))
    assert the_job()[0] == "FINISHED"


def test_a_lost_node_takes_the_whole_gang_to_other_nodes(
    leader: Leader, pair: list[ListAgent], broker: redis.Redis, job: Submit
) -> None:
    job({"a": GANG})
    one, other = pair
    running(leader, pair)
    Node.objects.filter(id=one.node).update(heard_at=timezone.now() - timedelta(seconds=61))
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    assert sorted(states()) == ["CANCELING"] * 2 + ["CREATED"] * 2
    leader.tick()
    third = ListAgent(broker, "n3")
    obey(leader, other)
    running(leader, [other, third])
    assert states() == ["RUNNING"] * 4
    assert set(Task.objects.values_list("attempt", "failures")) == {(1, 0)}
    turn(leader, other.finish(other.tasks()), third.finish(third.tasks()))
    assert the_job() == ("FINISHED", "")


def test_a_member_that_is_given_back_takes_the_others_with_it(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    job({"a": GANG})
    one, other = pair
    turn(leader)
    for agent in pair:
        agent.listen()
    turn(leader, other.start(other.tasks()))
    turn(leader, one.give_back(one.tasks()))
    obey(leader, other)
    running(leader, pair)
    assert set(Task.objects.values_list("attempt", "failures")) == {(1, 0)}
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))
    assert the_job() == ("FINISHED", "")


def test_a_job_that_is_canceled_while_its_gang_breaks_ends(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    submitted = job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1]))
    obey(leader, one)
    control.cancel(ANN, submitted.id)
    obey(leader, other)
    turn(leader)
    assert the_job() == ("CANCELED", "canceled by ann")
    assert set(NodeResource.objects.values_list("held", flat=True)) == {0}


def test_a_retried_job_runs_an_unfinished_gang_again_as_a_whole(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    failed = job({"a": GANG})
    one, other = pair
    mine, theirs = running(leader, pair)
    turn(leader, one.finish(mine))
    turn(leader, other.fail(theirs))
    turn(leader)
    again = submissions.retry(failed.id)
    running(leader, pair)
    assert Stage.objects.get(job=again).counts[TaskState.RUNNING] == 4
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))


def test_without_mending_the_checker_sees_half_a_gang(
    leader: Leader, pair: list[ListAgent], job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    with monkeypatch.context() as patched:
        patched.setattr(gangs, "mend", lambda board: False)
        turn(leader, one.fail(mine[:1]))
    assert [found.invariant[:2] for found in violations()] == ["I9"]
    turn(leader, one.finish(one.tasks()))
    obey(leader, other)
    running(leader, pair)
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))


def reasons(job: Job) -> list[str]:
    explained = explain_job(job.id, now=timezone.now())
    assert explained is not None
    return [reason for stage in explained["stages"] for reason in stage["reasons"]]


def test_why_a_broken_gang_waits_is_told_until_its_others_have_ended(
    leader: Leader, pair: list[ListAgent], job: Submit
) -> None:
    submitted = job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1]))
    assert "3 members are still being ended" in reasons(submitted)[0]
    obey(leader, one)
    assert "2 members are still being ended" in reasons(submitted)[0]
    obey(leader, other)
    assert reasons(submitted) == []
    running(leader, pair)
    turn(leader, *(agent.finish(agent.tasks()) for agent in pair))


def test_a_gang_whose_job_stops_is_not_said_to_be_tried_again(leader: Leader, pair: list[ListAgent], job: Submit) -> None:
    submitted = job({"a": GANG}, retry=AGAIN)
    one, other = pair
    mine, _ = running(leader, pair)
    turn(leader, one.fail(mine[:1]))
    control.cancel(ANN, submitted.id)
    assert not [reason for reason in reasons(submitted) if "gang" in reason]
    for agent in (one, other):
        obey(leader, agent)
    turn(leader)


def test_what_begins_without_a_hold_leaves_a_gang_the_holds_it_has(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    turn(leader)
    job({"b": {"resources": {"cpus": 2}}})
    turn(leader)
    job({"g": {"gang": True}})
    turn(leader)
    agent.listen()
    a, b, member = agent.tasks()
    # The gang's command is late: by the agent's own count there was room for both cpus of b.
    turn(leader, agent.finish([a]))
    turn(leader, agent.start([b]))
    assert Assignment.objects.get(stage=member[0]).held == IndexSet.span(0, 1)
    turn(leader, agent.finish([b]))
    turn(leader, agent.finish([member]))


class Chance:
    """Plays agents whose tasks end, fail, begin, come back and get lost as the dice say."""

    def __init__(self, leader: Leader, agents: list[ListAgent], seed: int) -> None:
        self.leader, self.agents, self.dice = leader, agents, random.Random(seed)
        self.begun: set[Named] = set()
        self.plays = [self.fail, self.give_back, self.finish, self.finish, self.start, self.obey, self.obey, self.lose]

    def play(self) -> None:
        agent = self.dice.choice(self.agents)
        agent.listen()
        some = [task for task in agent.tasks() if self.dice.random() < 0.4]
        self.dice.choices(self.plays, [5, 5, 5, 5, 5, 5, 5, 1])[0](agent, some)

    def fail(self, agent: ListAgent, tasks: list[Named]) -> None:
        turn(self.leader, agent.fail(tasks[:1]))

    def give_back(self, agent: ListAgent, tasks: list[Named]) -> None:
        turn(self.leader, agent.give_back([task for task in tasks if task not in self.begun]))

    def finish(self, agent: ListAgent, tasks: list[Named]) -> None:
        turn(self.leader, agent.finish(tasks))

    def start(self, agent: ListAgent, tasks: list[Named]) -> None:
        self.begun.update(tasks)
        turn(self.leader, agent.start(tasks))

    def obey(self, agent: ListAgent, tasks: list[Named]) -> None:
        obey(self.leader, agent)

    def lose(self, agent: ListAgent, tasks: list[Named]) -> None:
        Node.objects.filter(id=agent.node).update(heard_at=timezone.now() - timedelta(seconds=61))
        lost_nodes.watch_nodes(listening=1000, epoch=self.leader.epoch)
        self.agents[self.agents.index(agent)] = ListAgent(agent.broker, agent.name)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_a_gang_never_runs_in_part(leader: Leader, broker: redis.Redis, job: Submit, seed: int) -> None:
    for _ in range(2):
        job({"a": {"parallelism": 5, "gang": True}}, retry={"attempts": 4, "backoff": {"initial": 0, "jitter": 0}})
    chance = Chance(leader, [ListAgent(broker, f"n{number}") for number in range(3)], seed)
    for _ in range(40):
        chance.play()
        assert violations() == []
    for _ in range(10):
        for agent in chance.agents:
            obey(leader, agent)
            turn(leader, agent.finish(agent.tasks()))
    assert not Job.objects.filter(ended_at=None).exists()
    for stage in Stage.objects.all():
        assert stage.counts[TaskState.FINISHED] == 5 or stage.counts[TaskState.FAILED] == 1
