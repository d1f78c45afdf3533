"""Random jobs for the property of inputs: a generator of descriptions, what their tasks do, and the plain computation."""

import json
from random import Random
from typing import Any
from zlib import crc32

from jobs.models import Edge, Job, Stage, Task
from switchyard.scheduling.dag import inputs
from switchyard.scheduling.lifecycle.states import TaskState

WORK = """
import json, time
from zlib import crc32
from switchyard.task import FAILED

def run(task, item=None, name="", seconds=0, flaky=0, fatal=0, several=False):
    time.sleep(seconds)
    if fatal and task.index % fatal == 1:
        raise ValueError("it fails for good")
    if flaky and task.index % flaky == 1 and task.attempt == 0:
        raise OSError("it fails once")
    handed = {key: ["FAILED" if value is FAILED else value for value in values] for key, values in task.inputs.items()}
    value = crc32(json.dumps([name, task.index, task.item, handed], sort_keys=True).encode())
    return [value + n for n in range(task.index % 3 + 1)] if several else value
"""
#: A command's result is what it was handed, as it stands in its file.
ECHO = """printf '{"result": %s}\\n' "$(cat $SWITCHYARD_INPUTS)" > $SWITCHYARD_REPORT"""


def graph(rng: Random, slots: int) -> dict[str, dict[str, Any]]:
    """Return the stages of a random job, by name; what is there for several reasons is more likely to go wrong."""
    stages: dict[str, dict[str, Any]] = {}
    for number in range(rng.randint(2, 6)):
        name = f"s{number}"
        stages[name] = stage = _kind(rng, name, slots)
        needs = rng.sample(sorted(stages)[:-1], k=min(len(stages) - 1, rng.choice([0, 1, 1, 2])))
        # A gang of as many as there are items may be larger than the cluster, and would wait for ever.
        divisible = needs and "parallelism" in stage and "gang" not in stage
        if divisible and rng.random() < 0.15 and (several := _listing(stages, needs)):
            del stage["parallelism"]
            stage["foreach"] = {"from": several}
            stage["kwargs"].pop("fatal", None)
        stage["needs"] = [_need(rng, producer, stages[producer], stage) for producer in needs]
        if not needs and "command" in stage:
            stages[name] = _kind(Random(0), name, slots)
    return stages


def _kind(rng: Random, name: str, slots: int) -> dict[str, Any]:
    size = rng.choice([1, 2, 3, 5, 16, 40])
    if rng.random() < 0.1:
        return {"command": ECHO, "shell": True, "parallelism": min(size, 5), "kwargs": {}}
    kwargs: dict[str, Any] = {"name": name, "seconds": rng.choice([0, 0, 0.002, 0.02])}
    stage: dict[str, Any] = {"python": "work:run", "files": {"work.py": WORK}, "kwargs": kwargs}
    draw = rng.random()
    if draw < 0.15:
        return {**stage, "gang": True, "parallelism": min(size, slots)}
    if draw < 0.3:
        return {**stage, "kwargs": {**kwargs, "several": True}, "parallelism": min(size, 5)}
    if draw < 0.45:
        kwargs["fatal"] = rng.choice([2, 5])
    elif draw < 0.65:
        kwargs["flaky"] = rng.choice([2, 5])
    return {**stage, "foreach": list(range(size))} if rng.random() < 0.3 else {**stage, "parallelism": size}


def _listing(stages: dict[str, dict[str, Any]], needs: list[str]) -> str | None:
    return next((name for name in needs if stages[name].get("kwargs", {}).get("several")), None)


def _need(rng: Random, name: str, producer: dict[str, Any], consumer: dict[str, Any]) -> dict[str, Any]:
    fixed = not any(isinstance(stage.get("foreach"), dict) for stage in (producer, consumer))
    return {"stage": name, "exchange": "pointwise" if fixed and rng.random() < 0.6 else "all"}


def described(stages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return stages as a submission takes them: commands have no arguments to pass on."""
    return {name: {k: v for k, v in stage.items() if k != "kwargs" or v} for name, stage in stages.items()}


def wrong(job: Job, stages: dict[str, dict[str, Any]]) -> list[str]:
    """Return the finished tasks of a job that were handed something else than what their producers gave."""
    tasks: dict[str, list[Task]] = {}
    for stage in Stage.objects.filter(job=job):
        tasks[stage.name] = list(Task.objects.filter(stage=stage).order_by("index"))
    edges = Edge.objects.filter(job=job).order_by("producer__position").values_list(
        "consumer__name", "producer__name", "exchange"
    )  # fmt: skip
    found = []
    for name, members in tasks.items():
        needs = [(producer, exchange) for consumer, producer, exchange in edges if consumer == name]
        items = _items(stages[name], tasks)
        for task in members:
            if task.state == TaskState.FINISHED:
                place = task.index, len(members)
                handed = {producer: _share(*place, tasks[producer], exchange) for producer, exchange in needs}
                if task.result != _expected(stages[name], name, task.index, items, handed):
                    found.append(f"job {job.number} {name}[{task.index}] attempt {task.attempt}: {handed}")
    return found


def _items(stage: dict[str, Any], tasks: dict[str, list[Task]]) -> list[Any]:
    foreach = stage.get("foreach", [])
    if isinstance(foreach, dict):
        return [item for task in tasks[foreach["from"]] for item in task.result or []]
    return list(foreach)


def _share(index: int, size: int, producers: list[Task], exchange: str) -> list[Any]:
    low, high = inputs(index, len(producers), size) if exchange == "pointwise" else (0, len(producers))
    # A drain leaves out what it kept from beginning.
    given = [task for task in producers[low:high] if not (task.state == TaskState.CANCELED and task.stage.job.draining)]
    return [task.result if task.state == TaskState.FINISHED else "FAILED" for task in given]


def _expected(stage: dict[str, Any], name: str, index: int, items: list[Any], handed: dict[str, list[Any]]) -> Any:
    if "command" in stage:
        return {key: [None if value == "FAILED" else value for value in values] for key, values in handed.items()}
    item = items[index] if items else None
    value = crc32(json.dumps([name, index, item, handed], sort_keys=True).encode())
    return [value + n for n in range(index % 3 + 1)] if stage["kwargs"].get("several") else value
