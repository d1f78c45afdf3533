"""Runs: one seed from its first event until everything has ended, or an invariant does not hold."""

import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath

from switchyard.scheduling.lifecycle.states import JOB_ENDS
from switchyard.simulation import faults
from switchyard.simulation.broken import Broken
from switchyard.simulation.memory.store import Store
from switchyard.simulation.mischief import Mischief
from switchyard.simulation.world import World

#: Seconds for which faults happen at the most, in which all jobs must end without any, and in which rooms must be whole then.
FAULTY, BOUND, REST = 75.0, 900.0, 150.0

#: Events that a run has at least.
FEWEST = 200


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went; `broken` is empty if all invariants held."""

    seed: int
    events: int
    seconds: float
    digest: str
    broken: str
    story: list[str]


def run(seed: int) -> Run:
    """Run a seed."""
    world = World(seed)
    broken = ""
    try:
        _go(world, Mischief(world, faults.draw(world.random("faults"), FAULTY)))
    except Broken as error:
        broken = str(error)
    except Exception as error:  # Whatever a rule or an agent raises is a fault of theirs.
        broken = f"raised: {error!r} at {_place(error)}"
    if broken:
        world.story.note("BROKEN", broken)
    story = world.story
    return Run(seed, world.timeline.steps, world.timeline.now, story.digest, broken, story.last())


def _place(error: Exception) -> str:
    """Return where an error was raised, and who called that."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))


def _go(world: World, mischief: Mischief) -> None:
    _step(world, FAULTY)
    world.story.note("faults", "stop")
    mischief.end()
    _step(world, FAULTY + BOUND)
    if not _ended(world):
        raise Broken("I8", f"not ended {BOUND:.0f} s after the last fault: {', '.join(_open(world.database.store))}")
    until = world.timeline.now + REST
    while (left := world.left()) and world.timeline.now < until and world.timeline.step():
        continue
    if left:
        raise Broken("I6", f"{REST:.0f} s after all jobs have ended {left}")


def _step(world: World, until: float) -> None:
    """Let the world go on until a time, or until all jobs have ended and enough has happened."""
    while world.timeline.now < until and not _ended(world) and world.timeline.step():
        continue


def _open(store: Store) -> list[str]:
    """Return the stages that have not ended, with their tasks by state."""
    states = {id_: Counter[str]() for id_, stage in store.stages.items() if not stage.row.ended}
    for task in store.tasks.values():
        if task.stage in states:
            states[task.stage][task.state.name] += 1
    return [f"stage {id_} of job {store.stages[id_].row.job_id.int} has {dict(found)}" for id_, found in states.items()]


def _ended(world: World) -> bool:
    jobs = world.database.store.jobs.values()
    return (
        world.timeline.steps >= FEWEST
        and world.submitted == len(world.submissions)
        and all(job.row.state in JOB_ENDS for job in jobs)
    )
