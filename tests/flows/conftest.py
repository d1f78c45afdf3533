"""Fixtures for tests on real processes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.utils import timezone

from jobs.models import Lease
from tests.flows.stack import Stack


@pytest.fixture
def stack(tmp_path: Path, database_url: str, redis_url: str, broker: redis.Redis) -> Iterator[Stack]:
    """Give a stack whose web server and scheduler run."""
    Lease.objects.update_or_create(id=1, defaults={"expires_at": timezone.now() - timedelta(days=1)})
    stack = Stack(tmp_path, database_url, redis_url)
    try:
        stack.start_web()
        stack.start_scheduler()
        yield stack
    finally:
        stack.stop()
