"""What agents say that they have is compared with what stands on their lists, from one heartbeat to the next."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Stage, Task
from jobs.reading.explanations import explain_job
from nodes.models import Condition, Event, Node
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


def beat(agent: ListAgent, begun: list[list[Any]] | None = None, **more: Any) -> Heartbeat:
    """Make a heartbeat of an agent that has what it was told, or only these tasks."""
    agent.number_of_beat = getattr(agent, "number_of_beat", 0) + 1  # type: ignore[attr-defined]
    listed: dict[tuple[int, int], IndexSet] = {}
    for stage, attempt, index in agent.tasks() if begun is None else ():
        listed[stage, attempt] = listed.get((stage, attempt), IndexSet()) | IndexSet.span(index, index + 1)
    inventory = {
        "listed": [], "begun": [[*key, tasks.to_json()] for key, tasks in listed.items()] + (begun or []), "ended": [],
        "free": agent.totals, "fetching": {}, "stuck": 0, **more,
    }  # fmt: skip
    return Heartbeat(agent.node, agent.session, agent.number_of_beat, {"inventory": inventory})  # type: ignore[attr-defined]


def conditions() -> set[str]:
    return set(Condition.objects.values_list("name", flat=True))


def begin(leader: Leader, agent: ListAgent) -> list[tuple[int, int, int]]:
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.start(tasks))
    return tasks


def test_a_running_task_that_its_agent_does_not_have_is_lost_and_tried_again(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    made = job({"a": {"parallelism": 2}})
    first, second = begin(leader, agent)
    has = [[second[0], 0, [[1, 2]]]]
    leader.turn([beat(agent, has)])
    assert conditions() == set(), "what is on its way is no difference"
    leader.turn([beat(agent, has)])
    assert conditions() == {"differs"}
    assert "1 tasks of its list" in Condition.objects.get().description
    assert Event.objects.filter(kind="node_differs").count() == 1
    agent.forget([first])
    turn(leader)
    agent.listen()
    again = (first[0], 1, 0)
    assert again in agent.tasks()
    assert Attempt.objects.get().exit_class == "lost"
    turn(leader, agent.finish([again, second]))
    leader.turn([beat(agent)])
    assert conditions() == set()
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_heartbeats_from_before_the_last_report_say_nothing(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    late = [beat(agent, [], reported=0), beat(agent, [], reported=0)]
    begin(leader, agent)
    for each in late:
        leader.turn([each])
    assert conditions() == set()
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RUNNING}
    for _ in range(2):
        leader.turn([beat(agent, [], reported=Node.objects.get().last_report)])
    assert conditions() == {"differs"}


def test_what_is_on_its_way_to_an_agent_is_not_missed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    for _ in range(3):
        leader.turn([beat(agent, [])])
    assert conditions() == set()
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.SCHEDULED}
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))


def test_what_ended_and_is_not_acknowledged_is_not_missed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    (task,) = begin(leader, agent)
    for _ in range(3):
        leader.turn([beat(agent, [], ended=[[task[0], 0, [[0, 1]]]])])
    assert conditions() == set()
    turn(leader, agent.finish([task]))


def test_what_an_agent_has_beyond_its_list_it_is_told_to_end(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    (task,) = begin(leader, agent)
    turn(leader, agent.finish([task]))
    agent.listen()
    agent.cancels.clear()
    for _ in range(2):
        leader.turn([beat(agent, [[task[0], 0, [[0, 1]]]], free={})])
    agent.listen()
    assert agent.cancels == [[task[0], 0, [[0, 1]]]]
    assert conditions() == {"differs"}


def test_what_stands_on_a_list_and_does_not_begin_is_explained(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 40}})
    turn(leader)

    def reasons(seconds: float) -> list[str]:
        explained = explain_job(made.id, now=timezone.now() + timedelta(seconds=seconds))
        assert explained is not None
        return [reason for stage in explained["stages"] for reason in stage["reasons"]]

    assert any("on the list of node n1, behind what runs there" in reason for reason in reasons(0))
    late = re.search(r"on the list of node n1, whose agent has not begun them for (\d+) s", "".join(reasons(5)))
    assert late is not None
    assert int(late[1]) >= 5
    stage = made.stages.get().id
    leader.turn([beat(agent, fetching={str(stage): "fetches its inputs"})])
    assert any("on the list of node n1, which fetches its inputs" in reason for reason in reasons(5))
    Node.objects.update(silent_since=timezone.now() - timedelta(seconds=40))
    assert any("on the list of node n1, which has been silent for 4" in reason for reason in reasons(1))
    Node.objects.update(silent_since=None)
    while agent.tasks():
        turn(leader, agent.finish(agent.tasks()))
        agent.listen()


def test_what_is_wrong_with_an_agent_stands_on_its_node_until_it_is_not(leader: Leader, agent: ListAgent) -> None:
    leader.turn([beat(agent, free={"cpus": 1000, "mem": 4096}, stuck=2)])
    assert conditions() == {"room", "stuck"}
    leader.turn([Heartbeat(agent.node, agent.session, 9, {"stalled": True})])
    assert conditions() == {"stalled"}
    leader.turn([beat(agent)])
    assert conditions() == set()
    assert "inventory" not in Node.objects.get().figures


def test_a_job_of_which_nothing_can_be_given_up_keeps_no_other_from_it(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    tasks = begin(leader, agent)
    counts = Stage.objects.get(job=bad).counts
    Stage.objects.filter(job=bad).update(counts=[])
    for _ in range(4):
        leader.turn([beat(agent, [])])
    bad.refresh_from_db()
    assert bad.held_reason
    assert Attempt.objects.get().stage.job_id == good.id
    assert conditions() == set()
    kinds = list(Event.objects.filter(kind__in=["node_differs", "job_held"]).values_list("kind", flat=True))
    assert sorted(kinds) == ["job_held", "node_differs"]
    Stage.objects.filter(job=bad).update(counts=counts)
    control.release(ANN, bad.id)
    agent.forget(tasks)
    turn(leader)
    agent.listen()
    for _ in range(2):
        leader.turn([beat(agent)])
    turn(leader)
    agent.listen()
    assert {(stage, attempt) for stage, attempt, _ in agent.tasks()} == {(stage, 1) for stage, _, _ in tasks}
    turn(leader, agent.finish(agent.tasks()))
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.FINISHED}
