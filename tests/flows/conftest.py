"""Fixtures for tests on real processes."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.utils import timezone

from jobs.models import Lease
from tests.flows.stack import Stack


@pytest.fixture
def idle(tmp_path: Path, database_url: str, redis_url: str, broker: redis.Redis) -> Iterator[Stack]:
    """Give a stack of which nothing runs yet."""
    Lease.objects.update_or_create(id=1, defaults={"expires_at": timezone.now() - timedelta(days=1)})
    said = StringIO()
    call_command("bootstrap", "--json", stdout=said)
    stack = Stack(tmp_path, database_url, redis_url, json.loads(said.getvalue()))
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(idle: Stack) -> Stack:
    """Give a stack whose web server and scheduler run."""
    idle.start_servers()
    return idle
