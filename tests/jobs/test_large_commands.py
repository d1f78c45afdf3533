"""What is sent to agents: no message is long, whatever users give to their tasks; what is long is left for them to fetch."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from jobs.commands import control
from jobs.leader.descriptions import LARGE, description_of
from jobs.leader.loop import Leader
from jobs.models import Job, Stage
from switchyard.leader import dispatch
from switchyard.leader.packing import FULL, Packer
from switchyard.messaging.messages import Command, queue_of
from switchyard.scheduling.lifecycle import attempts
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]
MIB = 1024 * 1024
LONG = "x" * (8 * MIB - 1000)


def sizes(broker: redis.Redis, agent: ListAgent) -> list[int]:
    """Return the length of each message that waits for an agent."""
    return [len(message) for message in broker.lrange(queue_of(agent.session), 0, -1)]


def long_stages(count: int) -> dict[str, Any]:
    """Return stages of one small task each, whose descriptions are long, but travel in commands."""
    return {f"{number:03}": {"args": ["x" * 60_000], "resources": {"cpus": 0.01}} for number in range(count)}


def described(agent: ListAgent, name: str) -> dict[str, Any]:
    """Return what an agent was told of a stage."""
    return agent.stages[Stage.objects.get(name=name).id]


@pytest.mark.parametrize(
    "stage",
    [
        {"kwargs": {"table": LONG}, "parallelism": 1000},
        {"args": [LONG], "parallelism": 1000},
        {"env": {"TABLE": LONG}},
        {"command": ["echo", LONG]},
        {"args": ["\U0001f600" * 60_000]},
        {"args": ['"\\' * 60_000]},
    ],
    ids=["kwargs", "args", "env", "command", "emoji", "quotes"],
)
def test_what_a_stage_is_given_makes_no_long_message(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis, stage: dict[str, Any]
) -> None:
    job({"a": stage})
    turn(leader)
    assert max(sizes(broker, agent)) < 2048
    agent.listen()
    assert agent.tasks()
    assert described(agent, "a")["left_out"]
    whole = description_of(Stage.objects.get().id)
    assert whole is not None
    assert {name: whole["spec"][name] for name in stage if name != "parallelism"} == {
        name: value for name, value in stage.items() if name != "parallelism"
    }


def test_the_environment_and_config_of_a_job_are_told_for_its_stages(leader: Leader, agent: ListAgent, job: Submit) -> None:
    own = {"environment": {"requirements": ["own"]}}
    stages = {"a": {}, "b": own, "c": {"interpreter": "python3", "python": "m:f", "command": None}}
    job(stages, environment={"python": "3.12"}, config={"b": 1, "a": [2]})
    turn(leader)
    agent.listen()
    told = {name: described(agent, name) for name in stages}
    found = {name: each["spec"].get("environment") for name, each in told.items()}
    assert found == {"a": {"requirements": [], "python": "3.12"}, "b": {"requirements": ["own"]}, "c": None}
    assert [list(each["config"].items()) for each in told.values()] == [[("b", 1), ("a", [2])]] * 3


def test_items_are_left_out_of_messages(leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis) -> None:
    job({"a": {"foreach": [LONG[:300_000]] * 100, "args": ["short"]}})
    turn(leader)
    assert max(sizes(broker, agent)) < 2048
    agent.listen()
    assert described(agent, "a")["spec"]["args"] == ["short"]
    assert described(agent, "a")["items"] == {}


def test_results_of_many_stages_are_left_out_together(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    names = [f"{number:02}" for number in range(30)]
    job({**{name: {"resources": {"cpus": 0.01}} for name in names}, "last": {"needs": names, "parallelism": 2, "gang": True}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), f'"{LONG[:3000]}"'))
    assert max(sizes(broker, agent)) < 2 * LARGE
    agent.listen()
    given = [item["given"] for item in described(agent, "last")["inputs"]]
    assert len(given) == 30
    assert 0 < sum(map(bool, given)) < 15


def test_a_stage_with_many_long_names_before_it_is_left_out(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    names = [f"{number:03}{'n' * 97}" for number in range(400)]
    job({**{name: {"resources": {"cpus": 0.01}} for name in names}, "last": {"needs": names}})
    last = Stage.objects.get(name="last").id
    turn(leader)
    agent.listen()
    while last not in agent.stages:
        assert agent.tasks(), "the last stage is placed"
        turn(leader, agent.finish(agent.tasks()))
        agent.listen()
    assert agent.stages[last]["left_out"]
    whole = description_of(last)
    assert whole is not None
    assert [item["name"] for item in whole["inputs"]] == names


def test_the_queue_of_an_agent_that_does_not_listen_stays_small(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    job(long_stages(150))
    turn(leader)
    waiting = sizes(broker, agent)
    assert sum(waiting) < 2 * dispatch.QUEUED
    assert max(waiting) < MIB
    agent.listen()
    assert len(agent.tasks()) == 150
    assert 20 < len([told for told in agent.stages.values() if told.get("left_out")]) < 130


def test_lists_that_are_sent_as_a_whole_are_divided(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    job(long_stages(40))
    turn(leader)
    agent.listen()
    broker.delete(queue_of(agent.session))
    successor = Leader(leader.epoch)
    successor.dispatcher.send_all()
    waiting = sizes(broker, agent)
    assert len(waiting) > 3
    assert max(waiting) < MIB
    agent.seen = 0
    agent.launches.clear()
    commands = agent.listen()
    assert len(agent.tasks()) == 40
    assert not any(told.get("left_out") for command in commands for told in command.stages.values())
    assert all(launch.stage in agent.stages for launch in agent.launches.values())


def test_a_cancel_of_scattered_tasks_is_divided() -> None:
    scattered = [[2 * index, 2 * index + 1] for index in range(10_000)]
    packer = Packer(lambda: Command("session", 1, 0))
    packer.ask_back([[1, 0, scattered]], [[2, 0, scattered]] * 4)
    assert len(packer.packed) == 3
    assert [len(each.command.cancels) for each in packer.packed] == [1, 2, 1]
    assert all(each.size <= FULL for each in packer.packed)


def test_a_large_entry_is_divided(leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST", 7)
    submitted = job(
        {
            "a": {"parallelism": 20, "resources": {"cpus": 0.1}},
            "b": {"parallelism": 30, "resources": {"cpus": 0.1}, "needs": ["a"]},
            "c": {"parallelism": 20, "resources": {"cpus": 0.1}, "needs": ["a"], "gang": True},
        }
    )
    turn(leader)
    agent.listen()
    while found := agent.tasks():
        assert all(
            0 < sum(high - low for low, high in launch.ranges) <= 7 for launch in agent.launches.values() if launch.ranges
        )
        turn(leader, agent.finish(found))
        agent.listen()
    submitted.refresh_from_db()
    assert submitted.state == JobState.FINISHED


def test_a_job_with_a_long_argument_is_canceled_and_forgotten(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis
) -> None:
    submitted = job({"a": {"args": [LONG], "parallelism": 2}})
    turn(leader)
    agent.listen()
    control.cancel(ANN, submitted.id)
    turn(leader)
    agent.listen()
    assert agent.cancels
    turn(leader, agent.give_back(agent.tasks()))
    submitted.refresh_from_db()
    assert submitted.ended_at is not None
