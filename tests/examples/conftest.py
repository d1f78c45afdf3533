"""What the tests of the examples share: a stack that runs."""

from collections.abc import Iterator

import pytest

from tests.switchyard.stacks import Running, running


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    """Give a running stack that the tests of this worker share."""
    with running() as stack:
        yield stack
