"""What the tests of the examples share: a stack that runs."""

import pytest

from tests.switchyard.stacks import Running


@pytest.fixture
def stack(whole_stack: Running) -> Running:
    """Give the running stack."""
    return whole_stack
