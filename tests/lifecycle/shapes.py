"""What is more likely in a random history, and the random jobs of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from switchyard.scheduling.errors import InvalidSpec
from switchyard.scheduling.spec import from_data
from switchyard.scheduling.spec.types import JobSpec

KIND = "limited"


@dataclass(frozen=True)
class Character:
    """What is more likely in a history."""

    classes: tuple[str, ...] = ("user_error", "user_error", "timeout", "killed", "lost", "unloadable", "environment")
    #: How a task goes on that an agent has: it finishes, fails, starts, or else is given back.
    finished: float = 0.45
    failed: float = 0.15
    started: float = 0.3
    unfit: float = 0.05
    silences: int = 1
    stops: int = 1
    suspends: int = 0
    #: How often tasks save states, and jobs have checkpoints.
    saves: int = 0
    results: tuple[str, ...] = ("[1, 2, 3]", "[]", "[1]")
    #: The shapes of jobs: how often stages are gangs, need others task by task, or through a buffer.
    gangs: float = 0.2
    pointwise: float = 0.3
    buffered: float = 0.2
    sizes: tuple[int, ...] = (1, 2, 3, 6)
    #: How often stages hand files on.
    handing: float = 0.0
    #: How long a task ran, in seconds.
    seconds: float = 1.0


CHARACTERS = {
    "mixed": Character(),
    "losing": Character(("lost",), finished=0.05, failed=0.6, silences=2, gangs=0, sizes=(1, 2)),
    "failing": Character(finished=0.2, failed=0.4, unfit=0.5, gangs=0.5, results=("7", "[1]"), sizes=(1, 2)),
    "buffered": Character(finished=0.4, failed=0.05, started=0.5, gangs=0, pointwise=0.1, buffered=0.8, sizes=(6,)),
    "stopped": Character(failed=0.1, stops=5, gangs=0.1, pointwise=0.7, buffered=0.1),
    "suspended": Character(failed=0.1, suspends=3, gangs=0.3, pointwise=0.5, buffered=0),
    "handing": Character(("lost", "user_error"), silences=2, stops=2, gangs=0, pointwise=0.5, handing=0.7),
    "saving": Character(
        ("lost", "user_error"), 0.05, 0.05, 0.85, silences=0, stops=0, gangs=0.4, buffered=0, sizes=(2, 3), saves=16
    ),
    "brief": Character(
        finished=0.8,
        failed=0.05,
        gangs=0,
        pointwise=0,
        buffered=0,
        seconds=0.001,
        results=("7", "[1]", "[1]", "[]"),
        sizes=(1, 2),
    ),
}


def job(rng: Random, character: Character) -> JobSpec:
    """Return a random job."""
    while True:
        try:
            return from_data(
                {
                    "name": "random",
                    "stages": list(stages(rng, character)),
                    "retry": {"attempts": rng.choice([1, 2, 4]), "backoff": {"initial": rng.choice([0, 100]), "jitter": 0}},
                    "max_failures": rng.choice([0, 2, 100]),
                    "priority": rng.choice([1, 100]),
                    **({"type": KIND} if rng.random() < 0.3 else {}),
                    **({"disconnect_grace": 100} if rng.random() < 0.3 else {}),
                    **({"checkpoint": checkpoint(rng)} if character.saves and rng.random() < 0.8 else {}),
                }
            )
        except InvalidSpec:
            continue


def stages(rng: Random, character: Character) -> Iterator[dict[str, Any]]:
    """Yield stages that need some of those before them."""
    names: list[str] = []
    for number in range(rng.randint(1, 5)):
        stage: dict[str, Any] = {"name": f"s{number}", "python": f"bench.callables:c{number}"}
        needs = rng.sample(names, min(len(names), rng.choice([0, 1, 1, 2])))
        if needs and rng.random() < 0.2:
            stage["foreach"] = {"from": needs[0]}
        else:
            stage["parallelism"] = rng.choice(character.sizes)
            stage["gang"] = rng.random() < character.gangs and stage["parallelism"] < 4
            stage["needs"] = [need(rng, name, character) for name in needs]
        if character.handing and rng.random() < character.handing:
            stage["outputs"] = {"out": "out/*.bin"}
        if rng.random() < 0.3:
            stage["resources"] = {"cpus": rng.choice([0.5, 2])}
        names.append(stage["name"])
        yield stage


def checkpoint(rng: Random) -> dict[str, Any]:
    return {
        "interval": rng.choice([1, 4]),
        "timeout": rng.choice([3, 30]),
        "min_pause": rng.choice([0, 3]),
        "max_concurrent": rng.choice([1, 2]),
        "keep": rng.choice([1, 2]),
    }


def need(rng: Random, name: str, character: Character) -> dict[str, Any]:
    draw = rng.random()
    if draw < character.buffered:
        return {"stage": name, "exchange": "pointwise", "buffer": rng.choice([1, 2, 4])}
    if draw < character.buffered + character.pointwise:
        return {"stage": name, "exchange": "pointwise"}
    return {"stage": name}
