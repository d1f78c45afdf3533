"""The rules enter every state that the tables have."""

from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.simulation import faults
from switchyard.simulation.mischief import Mischief
from switchyard.simulation.world import World

#: Seconds for which a world is looked at, and how many worlds at the most.
WITHIN, SEEDS = 120.0, 50


def test_every_state_is_entered() -> None:
    tasks, jobs = set(TaskState), set(JobState)
    for seed in range(1, SEEDS):
        world = World(seed)
        Mischief(world, faults.draw(world.random("faults"), WITHIN))
        while world.timeline.now < WITHIN and world.timeline.step():
            tasks -= {task.state for task in world.database.store.tasks.values()}
            jobs -= {job.row.state for job in world.database.store.jobs.values()}
            if not (tasks or jobs):
                return
    assert (tasks, jobs) == (set(), set())
