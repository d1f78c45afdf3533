"""Which list waiting tasks are put on, how many of them, and how far a round looks."""

from collections.abc import Callable

import pytest
import redis

from jobs.commands import control
from jobs.inbox import Hint
from jobs.leader.loop import Leader
from jobs.models import Assignment, Job, Task
from switchyard.scheduling.lifecycle import memo
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


def nodes_of(stage: str) -> set[int | None]:
    return set(Task.objects.filter(stage__name=stage).values_list("node_id", flat=True))


def test_a_stage_shorter_than_a_message_stays_on_one_node_and_is_followed(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    other = ListAgent(broker, "n2")
    job({"a": {"parallelism": 8}, "b": {"parallelism": 8, "needs": ["a"]}, "c": {"parallelism": 8, "needs": ["b"]}})
    turn(leader)
    assert nodes_of("a") == {agent.node, other.node}
    for each in (agent, other):
        each.listen()
        turn(leader, each.finish(each.tasks()))
    assert len(nodes_of("b")) == 1
    assert nodes_of("c") == nodes_of("b")
    home = next(each for each in (agent, other) if {each.node} == nodes_of("b"))
    home.listen()
    turn(leader, home.finish(home.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_stages_of_which_nothing_is_known_share_what_may_wait_on_a_list(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    for _ in range(5):
        job({"a": {"parallelism": 20}})
    turn(leader)
    assert Task.objects.filter(state=TaskState.SCHEDULED).count() == 2 + 32


def test_few_lists_take_the_waiting_tasks_of_a_small_stage(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    for number in range(9):
        ListAgent(broker, f"m{number}")
    job({"busy": {"parallelism": 20}})
    turn(leader)
    job({"small": {"parallelism": 8}})
    turn(leader)
    assert Assignment.objects.filter(stage__name="small").count() == 2


def test_a_round_looks_past_stages_that_cannot_run_where_room_is_left(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "FRONT", 3)
    turn(leader)
    for _ in range(5):
        job({"huge": {"resources": {"cpus": 64_000}}})
    job({"small": {}})
    turn(leader)
    assert Task.objects.get(stage__name="small").state == TaskState.SCHEDULED


def test_a_long_chain_is_placed_in_several_rounds_without_waiting_for_a_report(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    names = [f"s{number}" for number in range(150)]
    job({name: {"needs": names[at - 1 : at]} if at else {} for at, name in enumerate(names)})
    turn(leader)
    assert Assignment.objects.count() == 150
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_nothing_follows_in_a_job_that_is_canceled_meanwhile(leader: Leader, agent: ListAgent, job: Submit) -> None:
    names = [f"s{number}" for number in range(150)]
    submitted = job({name: {"needs": names[at - 1 : at]} if at else {} for at, name in enumerate(names)})
    leader.turn([Hint.PLACE])
    placed = Assignment.objects.count()
    assert placed < 150
    control.cancel(ANN, submitted.id)
    turn(leader)
    assert Assignment.objects.count() == placed
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    assert Job.objects.get().state == JobState.CANCELED
