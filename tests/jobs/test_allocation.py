"""The algorithm of a pool binds a leader: how many tasks a job has on nodes, and in which order jobs are served."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from database import rows
from jobs.inbox import Hint
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from jobs.reading.explanations import explain_job
from nodes.services import change_scheduler
from switchyard.scheduling.allocation.base import ALGORITHMS, Algorithm
from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.lifecycle import memo
from switchyard.scheduling.lifecycle.states import LISTED, JobState, TaskState
from switchyard.scheduling.resources import Resources
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN
from tests.scheduling.capping import Capping, cap

Submit = Callable[..., Job]


class Granting:
    """Grants jobs what a test says, in the order of their numbers; else nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.targets: dict[int, int] = {}
        self.requests: list[JobRequest] = []
        self.capacity = Resources()
        monkeypatch.setitem(ALGORITHMS, "granting", Algorithm(self))
        change_scheduler(ANN, allocation="granting")

    def __call__(self, requests: Sequence[JobRequest], capacity: Resources) -> list[Target]:
        self.requests, self.capacity = list(requests), capacity
        return [Target(each.job, self.targets.get(each.job, 0)) for each in requests]


@pytest.fixture
def granting(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> Granting:
    return Granting(monkeypatch)


def on_nodes(job: Job) -> int:
    return Task.objects.filter(stage__job=job, state__in=LISTED).count()


def reasons(job: Job) -> list[str]:
    told = explain_job(job.id, now=rows.now())
    assert told
    return [reason for stage in told["stages"] for reason in stage["reasons"]]


def test_targets_bind_holds_backlog_and_co_location_in_real_turns(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    capping = Capping()
    for name in ("fifo", "lifo"):
        monkeypatch.setitem(ALGORITHMS, name, capping.algorithm)
    agents = [agent, ListAgent(broker, "n2")]
    for size in (1, 8, 3):
        job({"a": {"parallelism": size}, "b": {"parallelism": 2, "needs": ["a"]}, "c": {"needs": ["b"]}})
    job({"gang": {"parallelism": 2, "gang": True}, "rest": {"parallelism": 5}})
    for _ in range(200):
        turn(leader)
        for each in agents:
            for one in Job.objects.all():
                assert on_nodes(one) <= max(cap(one.number), 2 * one.stages.filter(name="gang").count())
            each.listen()
            if tasks := each.tasks():
                turn(leader, each.finish(tasks[:2]))
        if not Job.objects.filter(ended_at=None).exists():
            break
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.FINISHED}
    assert capping.bounded


def test_a_raised_target_is_filled_and_a_lowered_one_lets_what_stands_there_end(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting
) -> None:
    submitted = job({"a": {"parallelism": 10}})
    granting.targets[submitted.number] = 1
    turn(leader)
    assert on_nodes(submitted) == 1
    granting.targets[submitted.number] = 5
    turn(leader)
    assert on_nodes(submitted) == 5
    granting.targets[submitted.number] = 2
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:2]))
    assert on_nodes(submitted) == 3
    turn(leader, agent.finish(agent.tasks()[:2]))
    assert on_nodes(submitted) == 2


def test_an_algorithm_sees_what_jobs_have_and_may_have_and_what_the_pool_has(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting
) -> None:
    first = job({"a": {"parallelism": 4}, "b": {"parallelism": 3, "needs": ["a"], "resources": {"cpus": 2}}}, priority=7)
    gang = job({"a": {"parallelism": 3, "gang": True}})
    granting.targets = {first.number: 2}
    turn(leader)
    turn(leader)
    asked = {each.job: each for each in granting.requests}
    assert granting.capacity == {"cpus": 2000, "mem": 4096}
    assert (asked[first.number].running, asked[first.number].at_least, asked[first.number].at_most) == (2, 1, 7)
    assert (asked[first.number].priority, asked[first.number].demand["cpus"]) == (7, 2000)
    assert (asked[gang.number].running, asked[gang.number].at_least, asked[gang.number].at_most) == (0, 3, 3)


def test_the_order_of_an_algorithm_is_the_order_of_service(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "FRONT", 2)
    jobs = [job({"a": {"parallelism": 2}}) for _ in range(5)]
    order = [jobs[at].number for at in (3, 0, 4, 1, 2)]
    algorithm = Algorithm(lambda requests, capacity: [Target(number, 2) for number in order])
    monkeypatch.setitem(ALGORITHMS, "fifo", algorithm)
    turn(leader)
    agent.listen()
    numbers = dict(Stage.objects.values_list("id", "job__number"))
    served = [numbers[stage] for stage, _, _ in agent.tasks()]
    assert list(dict.fromkeys(served)) == order[: len(set(served))]
    assert len(set(served)) >= 2


def test_jobs_at_their_targets_do_not_hide_one_behind_them(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "FRONT", 2)
    monkeypatch.setattr(memo, "STAGES", 2)
    for _ in range(5):
        job({"a": {}})
    last = job({"a": {}})
    granting.targets[last.number] = 1
    turn(leader)
    assert on_nodes(last) == 1


def test_explain_names_a_target_that_keeps_tasks_waiting(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "REFUSALS_EVERY", 0)
    some, none = job({"a": {"parallelism": 9}}), job({"a": {}})
    granting.targets[some.number] = 1
    turn(leader)
    assert "The algorithm granting grants its job 1 task, and it has 1." in reasons(some)
    assert reasons(none) == ["The algorithm granting grants its job 0 tasks, and it has 0."]
    granting.targets[none.number] = 1
    turn(leader)
    assert not any("granting" in reason for reason in reasons(none))


def test_explain_names_a_target_before_a_round_has_looked(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting
) -> None:
    assert reasons(job({"a": {}})) == ["The algorithm granting grants its job 0 tasks, and it has 0."]


def test_explain_counts_the_jobs_that_the_algorithm_serves_first(leader: Leader, agent: ListAgent, job: Submit) -> None:
    first, last = job({"a": {"parallelism": 900}}), job({"a": {"parallelism": 900}})
    told = "1 job of its pool is served before it."
    assert (told in reasons(first), told in reasons(last)) == (False, True)
    change_scheduler(ANN, allocation="lifo")
    assert (told in reasons(first), told in reasons(last)) == (True, False)


def test_a_pool_has_an_algorithm_of_its_own(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis, granting: Granting
) -> None:
    change_scheduler(ANN, allocation="fifo", allocation_of={"gpu": "lifo", "small": "granting"})
    others = {pool: ListAgent(broker, f"of-{pool}", pool=pool) for pool in ("gpu", "small")}
    jobs = {pool: [job({"a": {"parallelism": 2}}, pool=pool) for _ in range(3)] for pool in ("default", *others)}
    granting.targets[jobs["small"][1].number] = 1
    turn(leader)
    numbers = dict(Stage.objects.values_list("id", "job__number"))
    served = {}
    for pool, each in {"default": agent, **others}.items():
        each.listen()
        served[pool] = list(dict.fromkeys(numbers[stage] for stage, _, _ in each.tasks()))
    assert served["default"] == [each.number for each in jobs["default"]]
    assert served["gpu"] == [each.number for each in reversed(jobs["gpu"])]
    assert served["small"] == [jobs["small"][1].number]


def test_a_long_queue_of_a_pool_keeps_no_other_pool_waiting(
    leader: Leader, agent: ListAgent, job: Submit, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo, "FRONT", 2)
    monkeypatch.setattr(memo, "STAGES", 2)
    ListAgent(broker, "other", pool="gpu")
    for _ in range(5):
        job({"a": {"resources": {"cpus": 64}}})
    waiting = job({"a": {}}, pool="gpu")
    turn(leader)
    assert on_nodes(waiting) == 1


def test_a_reservation_lapses_while_its_job_may_have_no_more(
    leader: Leader, agent: ListAgent, job: Submit, granting: Granting
) -> None:
    busy = job({"a": {}})
    granting.targets[busy.number] = 1
    turn(leader)
    big, small = job({"a": {"resources": {"cpus": 2}}}), job({"a": {}})
    Stage.objects.filter(job=big).update(refused_at="2020-01-01T00:00:00Z")
    granting.targets |= {big.number: 1, small.number: 1}
    turn(leader)
    assert (on_nodes(big), on_nodes(small)) == (0, 0)
    del granting.targets[big.number]
    turn(leader)
    assert on_nodes(small) == 1


def test_a_round_asks_for_shares_only_where_an_algorithm_may_limit_jobs(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = rows.execute

    def execute(statement: str, values: Any = ()) -> Any:
        asked.append(statement)
        return plain(statement, values)

    monkeypatch.setattr(rows, "execute", execute)
    job({"a": {"parallelism": 50}})
    leader.turn([Hint.PLACE])
    looks = [statement for statement in asked if "s.open_needs = 0 AND NOT isempty(s.unplaced)" in statement]
    assert [statement.count("LIMIT") for statement in looks] == [1]
    assert not any("max_running," in statement and "array_agg" in statement for statement in asked)
    assert Task.objects.filter(state=TaskState.SCHEDULED).exists()
    monkeypatch.setitem(ALGORITHMS, "fifo", Capping().algorithm)
    leader.turn([Hint.PLACE])
    assert any("max_running," in statement and "array_agg" in statement for statement in asked)
