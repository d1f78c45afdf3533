"""What the tests of the client and the command line share: a stack that runs."""

from collections.abc import Iterator

import pytest

from switchyard import Client
from tests.switchyard.stacks import Running, running


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    """Give a running stack that the tests of this worker share."""
    with running() as stack:
        yield stack


@pytest.fixture
def client(stack: Running) -> Iterator[Client]:
    """Give a client that shows the stack's token."""
    with Client(stack.url, stack.token) as client:
        yield client
