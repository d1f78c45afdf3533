"""A job's request for tasks, and the target that an algorithm grants it."""

from dataclasses import dataclass

from switchyard.scheduling.resources import NOTHING, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job of a pool.

    A lower `priority` goes first; `submitted` is any number that grows. `running` tasks are on nodes now, whether they have
    begun or wait there. The job can use no task or `at_least` up to `at_most`. One task takes `demand`; where tasks of a job
    differ, the most that any takes of each resource.
    """

    job: int
    submitted: float
    priority: int = 100
    running: int = 0
    at_least: int = 1
    at_most: int = 1
    demand: Resources = NOTHING


@dataclass(frozen=True, slots=True)
class Target:
    """How many tasks a job may have on nodes, those included that it has."""

    job: int
    count: int
