"""What the tests of the client and the command line share: a stack that runs."""

from collections.abc import Iterator

import pytest

from switchyard import Client
from tests.switchyard.stacks import Running


@pytest.fixture
def stack(whole_stack: Running) -> Running:
    """Give the running stack."""
    return whole_stack


@pytest.fixture
def client(stack: Running) -> Iterator[Client]:
    """Give a client that shows the stack's token."""
    with Client(stack.url, stack.token) as client:
        yield client
