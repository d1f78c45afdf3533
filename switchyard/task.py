"""What a running task sees of itself."""

from typing import Any


class Task:
    """One task while it runs: `index` of `parallelism`, and `inputs`, the results of the stages it needs by their names."""

    __slots__ = ("attempt", "index", "inputs", "parallelism")

    def __init__(self, index: int, parallelism: int, attempt: int, inputs: dict[str, list[Any]]) -> None:
        self.index = index
        self.parallelism = parallelism
        self.attempt = attempt
        self.inputs = inputs
