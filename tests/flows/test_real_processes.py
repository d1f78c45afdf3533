"""Submit to finish on real processes: a handful of whole paths."""

import signal
from pathlib import Path

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.models import Assignment, Attempt, Job, Task
from nodes.models import Event, Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack, Watch
from tests.people import ADA

SQUARE = "bench.callables:square"


def test_a_fan_out_and_in_runs_on_two_agents(stack: Stack) -> None:
    stack.start_agent("left", slots=1)
    stack.start_agent("right", slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    job = stack.submit(
        {
            "first": {"python": SQUARE},
            "many": {"python": SQUARE, "parallelism": 500, "needs": ["first"]},
            "last": {"python": SQUARE, "needs": ["many"]},
        }
    )
    assert stack.wait(job).state == JobState.FINISHED
    many = Task.objects.filter(stage__name="many")
    assert [result for (result,) in many.order_by("index").values_list("result")] == [i * i for i in range(500)]
    assert many.values("node_id").distinct().count() == 2
    assert violations() == []


def test_a_failing_callable_fails_its_job_with_its_error(stack: Stack) -> None:
    stack.start_agent("only")
    job = stack.submit({"a": {"python": "json:loads", "args": ["{"]}})
    assert stack.wait(job).state == JobState.FAILED
    assert "JSONDecodeError" in job.error


def test_a_callable_that_does_not_import_fails_once(stack: Stack) -> None:
    stack.start_agent("only")
    job = stack.submit({"a": {"python": "no.such:thing", "parallelism": 50}}, retry={"attempts": 5})
    assert stack.wait(job).state == JobState.FAILED
    assert "no.such" in job.error or "No module named 'no'" in job.error
    assert Task.objects.filter(attempt__gt=0).count() == 0


def test_an_agent_that_is_told_to_go_hands_over_at_once(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("left", slots=1)
    job = stack.submit({"a": {"command": f"test -e {tmp_path}/go || exec sleep 1000", "shell": True, "grace": 0.1}})
    stack.until(lambda: Task.objects.get().state == TaskState.RUNNING, "the task runs")
    stack.start_agent("right", slots=1)
    (tmp_path / "go").touch()
    stack.kill("left", signal.SIGTERM)
    assert stack.wait(job).state == JobState.FINISHED
    stack.until(lambda: Node.objects.get(name="left").session == "", "the node is gone")
    told = set(Event.objects.filter(node_id=Node.objects.get(name="left").id).values_list("kind", flat=True))
    assert "node_left" in told
    assert not told & {"node_silent", "node_lost"}, "nobody had to wait for its silence"
    assert violations() == []


def test_a_job_drains_and_ends_with_what_had_begun(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("only", slots=2)
    slow = f"until test -e {tmp_path}/go; do sleep 0.05; done; echo '{{\"result\": 1}}' > $SWITCHYARD_REPORT"
    given = """test "$(cat $SWITCHYARD_INPUTS)" = '{"a": [1, 1]}'"""
    job = stack.submit(
        {
            "a": {"command": slow, "shell": True, "parallelism": 9},
            "b": {"command": given, "shell": True, "needs": ["a"]},
        }
    )
    source = Task.objects.filter(stage__name="a")
    stack.until(lambda: source.filter(state=TaskState.RUNNING).count() == 2, "two tasks run")
    control.drain(ADA, job.id)
    stack.until(lambda: source.filter(state=TaskState.CANCELED).count() == 7, "what has not begun is canceled")
    (tmp_path / "go").touch()
    assert stack.wait(job).state == JobState.FINISHED
    assert source.filter(state=TaskState.FINISHED).count() == 2
    assert violations() == []


def test_a_job_is_suspended_and_goes_on_where_it_was(stack: Stack, tmp_path: Path) -> None:
    stack.start_agent("only", slots=2)
    slow = f"until test -e {tmp_path}/go; do sleep 0.05; done"
    job = stack.submit(
        {
            "a": {"command": ["true"], "parallelism": 5},
            "b": {"command": slow, "shell": True, "parallelism": 5, "needs": ["a"]},
        }
    )
    first, second = (Task.objects.filter(stage__name=name) for name in "ab")
    stack.until(lambda: second.filter(state=TaskState.RUNNING).count() == 2, "two tasks run")
    control.suspend(ADA, job.id)
    stack.until(lambda: Job.objects.get(id=job.id).state == JobState.SUSPENDED, "the job is suspended")
    assert not Assignment.objects.exists()
    assert second.filter(state=TaskState.CREATED).count() == 5
    assert violations() == []
    other = stack.submit({"a": {"command": ["true"], "parallelism": 4}})
    assert stack.wait(other).state == JobState.FINISHED
    (tmp_path / "go").touch()
    control.resume(ADA, job.id)
    assert stack.wait(job).state == JobState.FINISHED
    assert set(first.values_list("attempt", flat=True)) == {0}
    assert sorted(second.values_list("attempt", flat=True)) == [0, 0, 0, 1, 1]
    assert set(Attempt.objects.values_list("exit_class", flat=True)) == {"suspended"}
    assert violations() == []


def test_a_stage_goes_no_further_ahead_than_its_buffer(stack: Stack) -> None:
    stack.start_agent("only", slots=4)
    watch = Watch()
    watch.start()
    needs = [{"stage": "a", "exchange": "pointwise", "buffer": 3}]
    job = stack.submit(
        {"a": {"python": SQUARE, "parallelism": 60}, "b": {"command": ["sleep", "0.02"], "parallelism": 60, "needs": needs}}
    )
    assert stack.wait(job).state == JobState.FINISHED
    assert watch.end() == []
    assert watch.rounds > 3


def test_commands_run_with_what_they_are_given(stack: Stack) -> None:
    stack.start_agent("only")
    job = stack.submit(
        {
            "a": {"command": ["sh", "-c", 'echo out; test "$WHO" = me'], "env": {"WHO": "me"}, "parallelism": 3},
            "b": {"command": ["sh", "-c", "exit 3"], "needs": ["a"]},
        }
    )
    assert stack.wait(job).state == JobState.FAILED
    assert list(Task.objects.filter(stage__name="b").values_list("exit_code", flat=True)) == [3]
    assert violations() == []


def test_tasks_find_their_files_as_they_were_sent(stack: Stack) -> None:
    stack.start_agent("only", slots=1)
    script = {
        "text": '#!/bin/sh\ntest "$(cat data.txt)" = a && echo b >> data.txt && cd ~ && cat data.txt\n',
        "executable": True,
    }
    stage = {"command": ["./run.sh"], "files": {"run.sh": script, "data.txt": "a\n"}}
    for _ in range(2):
        assert stack.wait(stack.submit({"a": {**stage, "parallelism": 3}})).state == JobState.FINISHED
    assert violations() == []
