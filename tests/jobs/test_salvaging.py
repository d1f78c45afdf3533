"""Salvaging: a report with something in it that cannot be recorded costs that alone, and blocks no later report."""

from collections.abc import Callable

import redis

from jobs.leader.loop import Leader
from jobs.models import Job, Task
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
#: PostgreSQL keeps no NUL in a text.
POISON = "a\0b"


def test_a_poisoned_end_fails_its_task_and_leaves_the_others(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}}, max_failures=2)
    turn(leader)
    agent.listen()
    first, second, third, fourth = agent.tasks()
    report = agent.finish([first], "1")
    report.finished += agent.finish([second], POISON).finished
    agent.number -= 1
    report.others = [agent.end(third, outcome="FAILED", error=POISON, **{"class": "killed"})]
    agent.forget([third])
    turn(leader, report)
    turn(leader, agent.finish([fourth], "4"))
    states = [TaskState(state) for (state,) in Task.objects.order_by("index").values_list("state")]
    assert states == [TaskState.FINISHED, TaskState.FAILED, TaskState.FAILED, TaskState.FINISHED]
    assert [task.error for task in Task.objects.filter(state=TaskState.FAILED)] == [
        "what it told at its end could not be recorded"
    ] * 2
    assert Job.objects.get().state == JobState.FINISHED
    agent.listen()
    assert agent.acknowledged == agent.number


def test_a_poisoned_report_of_one_node_does_not_touch_that_of_another(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    other = ListAgent(broker, "n2")
    job({"a": {"parallelism": 4}}, max_failures=4)
    turn(leader)
    agent.listen()
    other.listen()
    turn(leader, agent.fail(agent.tasks(), error=POISON), other.finish(other.tasks(), "1"))
    assert Task.objects.filter(state=TaskState.FINISHED).count() == 2
    assert Task.objects.filter(state=TaskState.FAILED).count() == 2


def test_figures_that_cannot_be_kept_are_dropped(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    turn(leader)
    agent.listen()
    [task] = agent.tasks()
    stage, attempt, index = task
    named = {"stage": stage, "attempt": attempt, "index": index}
    turn(leader, agent.start([task]), agent.report(updates=[{**named, "metrics": {POISON: 1}, "accumulators": None}]))
    turn(leader, agent.finish([task], "1"))
    assert Task.objects.get().state == TaskState.FINISHED
