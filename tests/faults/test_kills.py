"""Kill and cut real processes with work provably in flight: nothing is lost, nothing runs twice at once."""

import os
import signal
from pathlib import Path

import pytest
import redis

from artifacts.logs import LogKey, Logs, Stream
from jobs.models import Attempt, Job, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.brokers import without_acl
from tests.faults.relay import Relay
from tests.flows.stack import PATIENCE, Stack, Watch

pytestmark = pytest.mark.faults
COUNT = 60


def submit(stack: Stack, marks: Path, seconds: float = 0.1) -> Job:
    work = {"python": "tests.faults.work:interval", "parallelism": COUNT, "args": [str(marks), seconds]}
    return stack.submit({"work": work, "after": {"python": "bench.callables:square", "needs": ["work"]}})


def in_flight(stack: Stack, marks: Path) -> None:
    """Wait until tasks have begun and most have not."""
    log = marks / "intervals"
    stack.until(lambda: log.exists() and log.read_text().count("begin") > 4, "work is in flight")
    assert Task.objects.filter(state=TaskState.FINISHED).count() < COUNT


def more_in_flight(stack: Stack, marks: Path) -> None:
    """Wait until another task has begun."""
    before = begun(marks)
    stack.until(lambda: begun(marks) > before, "more is in flight")


def begun(marks: Path) -> int:
    return (marks / "intervals").read_text().count("begin")


def test_a_killed_agent_loses_nothing_when_it_is_back(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_agent("only")
    job = submit(stack, marks)
    in_flight(stack, marks)
    stack.kill("only")
    stack.start_agent("only")
    assert stack.wait(job).state == JobState.FINISHED
    assert begun(marks) == COUNT + Attempt.objects.count()


def test_what_tasks_wrote_outlives_their_agent(stack: Stack, watch: Watch) -> None:
    stack.start_agent("only")
    job = stack.submit(
        {"work": {"command": "seq 2000; sleep 0.05; echo end", "shell": True, "parallelism": COUNT}},
        retry={"attempts": 3, "backoff": {"initial": 0}},
    )
    stack.until(lambda: Task.objects.filter(state=TaskState.FINISHED).count() > 4, "work is in flight")
    stack.kill("only")
    stack.start_agent("only")
    assert stack.wait(job).state == JobState.FINISHED
    told = [*Task.objects.values_list("stage_id", "index", "attempt", "logs")]
    told += [(a.stage_id, a.index, a.attempt, a.logs) for a in Attempt.objects.all()]
    expected = {
        LogKey(stage, index, attempt, Stream.STDOUT): logs["stdout"]["bytes"] for stage, index, attempt, logs in told if logs
    }
    assert len(expected) >= COUNT
    stored = Logs(stack.folder, largest=0)
    stack.until(lambda: all(stored.size(key) == size for key, size in expected.items()), "all output is stored (I15)")


def test_a_stand_by_takes_over_from_a_killed_scheduler(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_scheduler("stand-by")
    stack.start_agent("only")
    job = submit(stack, marks)
    in_flight(stack, marks)
    stack.kill("scheduler")
    assert stack.wait(job).state == JobState.FINISHED
    assert begun(marks) == COUNT


def test_a_scheduler_that_ends_well_hands_over_at_once(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_agent("only")
    job = submit(stack, marks)
    in_flight(stack, marks)
    stack.kill("scheduler", signal.SIGTERM)
    stack.start_scheduler("next")
    assert stack.wait(job).state == JobState.FINISHED
    assert stack.processes["scheduler"].wait(timeout=PATIENCE) == 0


def test_a_killed_worker_costs_the_task_it_ran(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_agent("only")
    work = {"python": "tests.faults.work:interval", "parallelism": COUNT, "args": [str(marks), 0.1]}
    job = stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}})
    in_flight(stack, marks)
    kill_a_holder(marks)
    assert stack.wait(job).state == JobState.FINISHED
    assert [exit_class for (exit_class,) in Attempt.objects.values_list("exit_class")] == ["killed"]


def test_a_flushed_broker_costs_time_alone(stack: Stack, watch: Watch, marks: Path, broker: redis.Redis) -> None:
    stack.start_agent("only")
    job = submit(stack, marks)
    in_flight(stack, marks)
    for _ in range(5):
        more_in_flight(stack, marks)
        broker.flushdb()
    assert stack.wait(job).state == JobState.FINISHED
    assert begun(marks) == COUNT


def test_messages_may_come_twice_late_and_out_of_order(
    stack: Stack, watch: Watch, marks: Path, redis_url: str, broker: redis.Redis
) -> None:
    stack.stop()
    # A user that the server makes for an agent may select the server's database alone.
    stack.env["REDIS_URL"] = without_acl(broker, redis_url)
    stack.start_servers()
    other = f"{stack.env['REDIS_URL'].partition('?')[0]}?db=15"
    with redis.Redis.from_url(other) as agents:
        agents.flushdb()
        relay = Relay(agents, broker, seed=1)
        relay.start()
        stack.env["REDIS_URL"] = other
        stack.start_agent("left", slots=1)
        stack.start_agent("right", slots=1)
        stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
        job = submit(stack, marks, seconds=0.02)
        assert stack.wait(job).state == JobState.FINISHED
        stack.stop()
        relay.end()
    assert relay.delivered > 4
    assert begun(marks) == COUNT


def kill_a_holder(marks: Path) -> None:
    """Kill a process in the middle of its task: stopped first, so that it cannot come to the end meanwhile."""
    while True:
        holder = holder_of_a_lock(marks)
        os.kill(holder, signal.SIGSTOP)
        if any(_is_lock(link, marks) for link in Path(f"/proc/{holder}/fd").glob("*")):
            os.kill(holder, signal.SIGKILL)
            return
        os.kill(holder, signal.SIGCONT)


def holder_of_a_lock(marks: Path) -> int:
    """Return the process that runs a task now: the one that has a lock file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        if _is_lock(link, marks):
            return int(link.parts[2])
    raise AssertionError("no task runs")


def _is_lock(link: Path, marks: Path) -> bool:
    try:
        return str(link.readlink()).startswith(str(marks)) and link.readlink().suffix == ".lock"
    except OSError:
        return False
