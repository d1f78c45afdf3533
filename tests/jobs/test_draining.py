"""Jobs that end early: nothing more begins at their sources, what has begun is worked off, and they end FINISHED."""

from collections.abc import Callable

import pytest

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from nodes.models import Event
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA

Submit = Callable[..., Job]
Tasks = list[tuple[int, int, int]]
POINTWISE = [{"stage": "a", "exchange": "pointwise"}]


def placed(leader: Leader, agent: ListAgent) -> Tasks:
    turn(leader)
    agent.listen()
    return agent.tasks()


def drained(leader: Leader, agent: ListAgent, job: Job) -> Tasks:
    """Drain a job and let the agent give back what it is asked for; return what it still has."""
    control.drain(ADA, job.id)
    turn(leader)
    back = {
        (stage, attempt, index)
        for command in agent.listen()
        for stage, attempt, ranges in command.recalls
        for index in IndexSet.of(ranges)
    }
    if back:
        turn(leader, agent.give_back([task for task in agent.tasks() if task in back]))
    agent.listen()
    return agent.tasks()


def work_off(leader: Leader, agent: ListAgent) -> None:
    while tasks := placed(leader, agent):
        turn(leader, agent.finish(tasks))


def states(name: str) -> list[str]:
    found = Task.objects.filter(stage__name=name).order_by("index").values_list("state", flat=True)
    return [TaskState(state).name for state in found]


def state(job: Job) -> JobState:
    job.refresh_from_db()
    return JobState(job.state)


def test_what_has_begun_ends_and_nothing_more_begins_at_a_source(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 100}, "b": {"needs": ["a"]}})
    tasks = placed(leader, agent)
    turn(leader, agent.start(tasks[:2]))
    left = drained(leader, agent, made)
    assert left == tasks[:2], "what has not begun is given back"
    assert state(made) == JobState.RUNNING
    turn(leader, agent.finish(left))
    ((stage, _, _),) = placed(leader, agent)
    [given] = agent.stages[stage]["inputs"]
    assert [index for index, _ in given["given"]] == [0, 1]
    assert given["left_out"] == [[2, 100]]
    work_off(leader, agent)
    assert state(made) == JobState.FINISHED
    assert (states("a"), states("b")) == (["FINISHED"] * 2 + ["CANCELED"] * 98, ["FINISHED"])


def test_what_is_handed_nothing_at_all_does_not_begin_either(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job(
        {
            "a": {"parallelism": 8},
            "b": {"parallelism": 4, "needs": POINTWISE},
            "c": {"parallelism": 8, "needs": [{"stage": "b", "exchange": "pointwise"}]},
            "d": {"needs": ["c"]},
        }
    )
    tasks = [task for task in placed(leader, agent) if task[2] < 3]
    turn(leader, agent.start(tasks))
    turn(leader, agent.finish(drained(leader, agent, made)))
    work_off(leader, agent)
    assert state(made) == JobState.FINISHED
    assert states("a") == ["FINISHED"] * 3 + ["CANCELED"] * 5
    assert states("b") == ["FINISHED"] * 2 + ["CANCELED"] * 2, "1 of b is handed what 2 of a gave, though 3 never began"
    assert states("c") == ["FINISHED"] * 4 + ["CANCELED"] * 4
    assert states("d") == ["FINISHED"]


def test_a_job_of_which_nothing_began_is_finished_at_once(leader: Leader, job: Submit) -> None:
    deep = {f"s{n}": {"needs": [f"s{n - 1}"], "parallelism": 2} for n in range(1, 120)}
    made = job({"s0": {"parallelism": 6000}, **deep, "e": {"foreach": {"from": "s3"}}})
    control.drain(ADA, made.id)
    turn(leader)
    assert state(made) == JobState.FINISHED
    assert set(states("s0")) == set(states("s119")) == {"CANCELED"}
    assert states("e") == []
    told = Event.objects.filter(job_id=made.id).order_by("id").values_list("kind", flat=True)
    assert [kind for kind in told if kind.startswith("job_")] == ["job_submitted", "job_draining", "job_finished"]


def test_what_began_once_is_tried_again(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 3}}, retry={"attempts": 2, "backoff": {"initial": 0, "jitter": 0}})
    first, *_ = placed(leader, agent)
    turn(leader, agent.start([first]))
    turn(leader, agent.fail(drained(leader, agent, made)))
    assert [(attempt, index) for _, attempt, index in placed(leader, agent)] == [(1, 0)]
    work_off(leader, agent)
    assert (state(made), states("a")) == (JobState.FINISHED, ["FINISHED", "CANCELED", "CANCELED"])


def test_items_are_those_of_what_began(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 3}, "b": {"foreach": {"from": "a"}}})
    first, *_ = placed(leader, agent)
    turn(leader, agent.start([first]))
    turn(leader, agent.finish(drained(leader, agent, made), result="[1, 2]"))
    assert len(placed(leader, agent)) == 2
    work_off(leader, agent)
    assert (state(made), states("b")) == (JobState.FINISHED, ["FINISHED"] * 2)


def test_a_gang_that_was_placed_runs_and_one_that_was_not_never_does(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2, "gang": True}, "b": {"parallelism": 2, "gang": True}})
    left = drained(leader, agent, made) if len(placed(leader, agent)) == 2 else []
    assert len(left) == 2
    turn(leader, agent.finish(left))
    assert state(made) == JobState.FINISHED
    assert sorted(states("a") + states("b")) == ["CANCELED"] * 2 + ["FINISHED"] * 2


def test_a_drained_job_that_fails_or_is_canceled_ends_as_that(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 3}})
    turn(leader, agent.start(placed(leader, agent)[:1]))
    turn(leader, agent.fail(drained(leader, agent, made)))
    assert state(made) == JobState.FAILED
    control.drain(ADA, made.id)
    assert state(made) == JobState.FAILED


def test_a_job_that_stops_cannot_drain(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    turn(leader, agent.start(placed(leader, agent)))
    control.cancel(ADA, made.id)
    with pytest.raises(control.Stopping):
        control.drain(ADA, made.id)


def test_a_recall_is_repeated_until_it_is_answered(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 4}})
    placed(leader, agent)
    control.drain(ADA, made.id)
    turn(leader)
    lost = agent.listen()
    turn(leader)
    again = agent.listen()
    assert [command.recalls for command in lost] == [command.recalls for command in again] != [[]]
