"""From submission to the end: what is placed, held, reported and settled."""

from collections.abc import Callable

from jobs.leader.loop import Leader
from jobs.models import Assignment, Job, Stage, Task
from nodes.models import NodeResource
from nodes.services import change_scheduler
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


def held(name: str = "cpus") -> int:
    return NodeResource.objects.get(name=name).held


def states(stage: str) -> list[TaskState]:
    found = Task.objects.filter(stage__name=stage).order_by("index").values_list("state", flat=True)
    return [TaskState(state) for state in found]


def test_a_job_runs_to_its_end(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 3}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), "7"))
    submitted.refresh_from_db()
    assert submitted.state == JobState.FINISHED
    assert submitted.ended_at is not None
    assert list(Task.objects.values_list("result", flat=True)) == [7, 7, 7]
    assert not Assignment.objects.exists()
    assert held() == 0


def test_a_job_began_with_its_first_task_however_late_that_is_told(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), "7"))
    submitted.refresh_from_db()
    began, ended, stage_began = submitted.started_at, submitted.ended_at, Stage.objects.get().started_at
    told = [at for at in Task.objects.values_list("started_at", flat=True) if at]
    assert len(told) == 2
    assert began
    assert ended
    assert stage_began
    assert submitted.created_at <= began <= min(told)
    assert stage_began <= min(told) < ended


def test_the_latest_submission_goes_first_where_that_is_chosen(leader: Leader, agent: ListAgent, job: Submit) -> None:
    change_scheduler(ANN, allocation="lifo")
    job({"a": {}}, priority=50)
    job({"b": {"parallelism": 3}})
    job({"c": {"parallelism": 3}})
    turn(leader)
    agent.listen()
    names = dict(Stage.objects.values_list("id", "name"))
    assert [names[stage] for stage, _, _ in agent.tasks()] == ["a", "c", "c", "c", "b", "b", "b"]
    turn(leader, agent.finish(agent.tasks()))


def test_only_what_fits_is_held_and_the_rest_waits_on_the_list(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 10}})
    turn(leader)
    assert held() == 2000
    assert states("a") == [TaskState.SCHEDULED] * 10
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:1]))
    assert held() == 2000


def test_a_dependent_follows_its_producer_onto_the_same_list(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}})
    turn(leader)
    agent.listen()
    assert [len(launch.after) for launch in agent.launches.values()] == [0, 1, 1]
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_a_start_without_a_hold_withdraws_one_that_has_not_begun(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[2:4]))
    assert held() == 2000
    assert {str(a.started) for a in Assignment.objects.all()} == {str(a.held) for a in Assignment.objects.all()}
    turn(leader, agent.finish(agent.tasks()))


def test_metrics_that_come_with_results_are_those_of_their_tasks(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}, "b": {"parallelism": 3}, "c": {}})
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    report = agent.finish(tasks)
    second = next(group for group in report.finished if len(group.indexes) == 3)
    second.metrics = [None, '{"read_bytes": 7}', None]
    turn(leader, report)
    told = Task.objects.exclude(metrics=None).values_list("stage__name", "index", "metrics")
    assert list(told) == [("b", 1, {"read_bytes": 7})]
    assert Job.objects.get().state == JobState.FINISHED


def test_a_doubled_report_changes_nothing(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}})
    turn(leader)
    agent.listen()
    report = agent.finish(agent.tasks()[:2])
    turn(leader, report)
    before = list(Stage.objects.values("counts", "run_seconds"))
    turn(leader, report)
    assert list(Stage.objects.values("counts", "run_seconds")) == before


def test_a_report_after_a_gap_waits_for_what_is_missing(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = (agent.finish([task]) for task in agent.tasks())
    turn(leader, second)
    assert states("a") == [TaskState.SCHEDULED] * 2
    turn(leader, first)
    turn(leader, second)
    assert Job.objects.get().state == JobState.FINISHED


def test_reports_in_one_batch_are_put_in_order(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = (agent.finish([task]) for task in agent.tasks())
    turn(leader, second, first)
    assert Job.objects.get().state == JobState.FINISHED


def test_a_returned_task_is_placed_again_under_its_number(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    agent.listen()
    assert [attempt for _, attempt, _ in agent.tasks()] == [0]
    turn(leader, agent.finish(agent.tasks()))


def test_a_pointwise_consumer_starts_when_its_own_inputs_have_ended(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 4}, "b": {"parallelism": 2, "needs": [{"stage": "a", "exchange": "pointwise"}]}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish([task for task in agent.tasks() if task[2] in (0, 1)]))
    assert states("b") == [TaskState.SCHEDULED, TaskState.CREATED]
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_a_stage_runs_once_for_each_item_of_another(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"list": {}, "each": {"foreach": {"from": "list"}}, "end": {"needs": ["each"]}})
    for result in ('["x", "y", "z"]', "1", "2"):
        turn(leader)
        agent.listen()
        turn(leader, agent.finish(agent.tasks(), result))
    assert Stage.objects.get(name="each").parallelism == 3
    assert Job.objects.get().state == JobState.FINISHED


def test_no_items_end_a_stage_at_once(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"list": {}, "each": {"foreach": {"from": "list"}}, "end": {"needs": ["each"]}})
    for result in ("[]", "2"):
        turn(leader)
        agent.listen()
        turn(leader, agent.finish(agent.tasks(), result))
    assert Job.objects.get().state == JobState.FINISHED


def test_items_that_are_no_list_fail_the_job_by_name(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"list": {}, "each": {"foreach": {"from": "list"}}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), "5"))
    turn(leader)
    failed = Job.objects.get()
    assert failed.state == JobState.FAILED
    assert "task 0 of list returned int, not a list" in failed.error


def test_a_job_that_breaks_the_round_is_held_and_the_others_run(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    Stage.objects.filter(job=bad).update(demand={"cpus": "many"})
    turn(leader)
    bad.refresh_from_db()
    assert bad.held_reason
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    good.refresh_from_db()
    assert good.state == JobState.FINISHED


def test_what_no_node_could_ever_run_is_flagged_at_submission(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"resources": {"cpus": 64}}})
    refusal = Stage.objects.get().refusal
    assert refusal is not None
    assert refusal["infeasible"]


def test_a_gang_is_placed_whole_or_not_at_all(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 3, "gang": True}})
    job({"b": {"parallelism": 2, "gang": True}})
    turn(leader)
    agent.listen()
    assert states("a") == [TaskState.CREATED] * 3
    assert states("b") == [TaskState.SCHEDULED] * 2
    turn(leader, agent.finish(agent.tasks()))


def test_a_result_kept_as_an_artifact_is_fetched_by_its_consumer(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}, "b": {"gang": True, "needs": ["a"]}})
    turn(leader)
    agent.listen()
    (task,) = agent.tasks()
    agent.forget([task])
    turn(leader, agent.report(others=[agent.end(task, outcome="FINISHED", result_digest="0" * 64)]))
    agent.listen()
    (described,) = [stage for stage in agent.stages.values() if stage["name"] == "b"]
    assert described["inputs"][0]["given"] == []
    turn(leader, agent.finish(agent.tasks()))
