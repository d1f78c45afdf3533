"""The signature of an allocation algorithm, and the list of those there are.

An algorithm sees the requests of one pool and returns them in the order in which they are served, each with
the number of tasks it may have now. To add one: a file here with such a function, and an entry in ALGORITHMS;
tests/scheduling/test_allocation.py then holds it to the rules that all obey.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from switchyard.scheduling.allocation.fifo import fifo
from switchyard.scheduling.allocation.lifo import lifo
from switchyard.scheduling.allocation.request import Allowance, Request

Algorithm: TypeAlias = Callable[[Sequence[Request]], list[Allowance]]

ALGORITHMS: dict[str, Algorithm] = {"fifo": fifo, "lifo": lifo}
