"""Descriptions: the jobs that the workloads submit. Pure data, as a user would write it."""

from typing import Any

Description = dict[str, Any]
SQUARE = "bench.callables:square"
TAIL = "bench.callables:square_late"
TELL = "bench.callables:tell"
KEEP = "bench.callables:keep"
#: For stages that no node can run.
NOWHERE = {"resources": {"cpus": 1000}}
ENDLESS = {"python": "bench.callables:wait", "grace": 0}


def flat(n: int, **stage: Any) -> Description:
    """Describe a job of one stage with `n` tasks."""
    return _job([_stage("all", n, **stage)])


def fanout(n: int) -> Description:
    """Describe 1 → n → 1: the last gets the results of all n."""
    return _job([_stage("first"), _stage("many", n, needs=["first"]), _stage("last", needs=["many"])])


def chain(n: int) -> Description:
    """Describe `n` tasks of which each needs the one before."""
    return layers(n, 1)


def layers(depth: int, width: int) -> Description:
    """Describe `depth` stages of `width` tasks of which each needs all of the stage before."""
    stages = [_stage(f"layer-{level}", width, **_after(level, "layer")) for level in range(depth)]
    return _job(stages)


def telling(*widths: int) -> Description:
    """Describe a job of stages of so many tasks, one after another, that tell metrics and sums."""
    stages = [_stage(f"stage-{level}", n, python=TELL, **_after(level, "stage")) for level, n in enumerate(widths)]
    return _job(stages)


def keeping(n: int, kib: int) -> Description:
    """Describe `n` tasks that run until they are canceled, and of which 500 fit on a core."""
    stage = _stage("all", n, python=KEEP, kwargs={"kib": kib}, resources={"cpus": 0.002}, grace=1)
    return _job([stage])


def commands(n: int) -> Description:
    """Describe `n` runs of a program that does nothing."""
    return _job([{"name": "true", "command": ["/bin/true"], "parallelism": n}])


def _after(level: int, name: str) -> dict[str, Any]:
    return {"needs": [f"{name}-{level - 1}"]} if level else {}


def _stage(name: str, n: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "python": SQUARE, "parallelism": n, **more}


def _job(stages: list[dict[str, Any]]) -> Description:
    return {"name": "bench", "stages": stages}


def handing_on(command: str, consumers: int) -> Description:
    """Describe a task that hands a file on, and tasks that are handed it."""
    make = {"name": "make", "command": command, "shell": True, "outputs": {"file": "out/file"}}
    return _job([make, *([_stage("use", consumers, needs=["make"])] if consumers else [])])
