"""What tests of the main path share: a leader that works when the test says, and agents that speak its protocol."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.leader import lease
from jobs.leader.loop import Leader
from jobs.models import Job, Lease
from switchyard.scheduling.spec import from_data
from tests.jobs.agents import ListAgent
from tests.jobs.submissions import submit

NOOP = {"python": "bench.callables:square"}


@pytest.fixture
def leader(transactional_db: None, broker: redis.Redis) -> Iterator[Leader]:
    """Give a leader; at the end of the test no invariant may be broken."""
    Lease.objects.update_or_create(id=1, defaults={"expires_at": timezone.now() - timedelta(days=1)})
    epoch = lease.take("test")
    assert epoch is not None
    yield Leader(epoch)
    assert violations() == []


@pytest.fixture
def agent(leader: Leader, broker: redis.Redis) -> ListAgent:
    """Give an agent of a node with two cpus."""
    return ListAgent(broker)


@pytest.fixture
def job(transactional_db: None) -> Callable[..., Job]:
    """Submit a job of stages given by name, each with what differs from a single no-op task."""

    def make(stages: dict[str, dict[str, Any]], **spec: Any) -> Job:
        described = [{"name": name, **({} if "command" in stage else NOOP), **stage} for name, stage in stages.items()]
        return Job.objects.get(id=submit(from_data({"name": "test", "stages": described, **spec})))

    return make
