"""Random jobs as they are submitted: small graphs of gangs, pointwise, buffered and foreach stages with rules of retry."""

from dataclasses import dataclass, replace
from random import Random

from switchyard.scheduling.spec import checks
from switchyard.scheduling.spec.environments import Environment
from switchyard.scheduling.spec.limits import Limits
from switchyard.scheduling.spec.types import (
    Backoff,
    CheckpointRule,
    Exchange,
    ForeachFrom,
    JobSpec,
    Need,
    RetryRule,
    StageSpec,
)
from switchyard.simulation.workers import ANSWERING, SAVING

LIMITS = Limits()
#: Thousandths of a cpu that tasks ask for.
CPUS = (500, 1000, 1000, 1000, 2000)
#: How often jobs have checkpoints.
RULES = (
    None,
    CheckpointRule(interval=1.0, timeout=3.0, max_concurrent=2, keep=1),
    CheckpointRule(interval=2.0, timeout=10.0, min_pause=1.0, keep=2),
    CheckpointRule(interval=1.0, timeout=30.0, keep=1),
)
#: Requirements of environments, by what is drawn: two can be built (switchyard.simulation.building), two cannot.
ENVIRONMENTS = {0: ("numpy",), 8: ("numpy",), 16: ("pandas",), 24: ("pandas",), 31: ("unsuited",), 39: ("nowhere",)}


@dataclass(frozen=True, slots=True)
class Submission:
    """A job, and the seconds from the start at which it is submitted, and canceled, drained or suspended if it is."""

    at: float
    job: JobSpec
    canceled_at: float | None = None
    drained_at: float | None = None
    suspended_at: float | None = None
    #: Never without `suspended_at`.
    resumed_at: float | None = None
    #: When a checkpoint is asked for.
    checkpoints_at: tuple[float, ...] = ()


def draw(random: Random, states: Random, *, jobs: int, within: float) -> list[Submission]:
    """Draw jobs that are submitted within so many seconds, in that order; `states` says what they save."""
    times = sorted(random.uniform(0, within) for _ in range(jobs))
    submissions = [_submission(random, number, at) for number, at in enumerate(times)]
    return [_with_states(states, _suspended(random, submission)) for submission in submissions]


def _submission(random: Random, number: int, at: float) -> Submission:
    job = _job(random, number)
    fate, later = random.random(), at + random.expovariate(1 / 20)
    while any(checks.faults(job, LIMITS)):
        job = _job(random, number)
    canceled, drained = later if fate < 0.15 else None, later if 0.15 <= fate < 0.3 else None
    return Submission(at, job, canceled, drained)


def _suspended(random: Random, submission: Submission) -> Submission:
    """Have one of five jobs suspended and resumed."""
    if random.random() >= 0.2:
        return submission
    suspended_at = submission.at + random.expovariate(1 / 20)
    return replace(submission, suspended_at=suspended_at, resumed_at=suspended_at + random.expovariate(1 / 10))


def _job(random: Random, number: int) -> JobSpec:
    stages: list[StageSpec] = []
    for position in range(random.choice((1, 1, 2, 3, 4, 5))):
        stages.append(_with_environment(number, position, _stage(random, stages, position)))
    rule = RetryRule(
        attempts=random.choice((1, 2, 3, 5)),
        backoff=Backoff(initial=random.choice((0.0, 1.0, 10.0)), factor=2.0, max=30.0, jitter=random.choice((0.0, 0.1))),
    )
    return JobSpec(
        name=f"job-{number}",
        stages=tuple(stages),
        priority=random.choice((50, 100, 100, 200)),
        max_failures=random.choice((0, 0, 2, 1000)),
        retry=rule,
        disconnect_grace=random.choice((None, None, 120.0)),
    )


def _with_states(random: Random, submission: Submission) -> Submission:
    """Give the stages of a third of the jobs states, and most of these jobs checkpoints; people ask for some more."""
    if random.random() < 0.65:
        return submission
    job = submission.job
    stages = tuple(replace(stage, python=random.choice((stage.python, SAVING, ANSWERING, ANSWERING))) for stage in job.stages)
    asked = random.choice((0, 0, 1, 3))
    return replace(
        submission,
        job=replace(job, stages=stages, checkpoint=random.choice(RULES)),
        checkpoints_at=tuple(submission.at + random.expovariate(1 / 5) for _ in range(asked)),
    )


def _with_environment(number: int, position: int, stage: StageSpec) -> StageSpec:
    """Give some stages an environment; it is chosen by number, so that the rest of a seed's work is as without."""
    requirements = ENVIRONMENTS.get((7 * number + 3 * position) % 40)
    return replace(stage, environment=Environment(requirements)) if requirements else stage


def _stage(random: Random, before: list[StageSpec], position: int) -> StageSpec:
    name, resources = f"s{position}", {"cpus": random.choice(CPUS)}
    grace = random.choice((0.0, 1.0, 10.0))
    timeout = random.choice((None, None, None, 8.0))
    needs = _needs(random, before)
    if needs and random.random() < 0.15:
        source = next((stage for stage in before if stage.name == needs[0].stage), before[0])
        items = ForeachFrom(source.name)
        return StageSpec(name, python="work:run", foreach=items, resources=resources, needs=(), timeout=timeout, grace=grace)
    gang = random.random() < 0.2
    return StageSpec(
        name,
        python="work:run",
        parallelism=random.randint(2, 4) if gang else random.choice((1, 2, 3, 5, 8, 13)),
        gang=gang,
        resources={"cpus": 500} if gang else resources,
        needs=needs,
        timeout=timeout,
        grace=grace,
    )


def _needs(random: Random, before: list[StageSpec]) -> tuple[Need, ...]:
    chosen = random.sample(before, min(len(before), random.choice((0, 1, 1, 1, 2))))
    return tuple(_need(random, stage) for stage in sorted(chosen, key=lambda stage: stage.name))


def _need(random: Random, stage: StageSpec) -> Need:
    # How many tasks a stage over items has is known too late for sharing them out.
    if stage.tasks is None or random.random() < 0.5:
        return Need(stage.name)
    buffered = not stage.gang and random.random() < 0.3
    return Need(stage.name, Exchange.POINTWISE, random.randint(1, 4) if buffered else None)
