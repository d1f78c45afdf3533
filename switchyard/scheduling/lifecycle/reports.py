"""What rules read of an agent's report: its parts, and the shape of the whole (the class is in switchyard.messaging)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from switchyard.scheduling.lifecycle.ends import End


class Started(NamedTuple):
    """Tasks of one stage and attempt that run, and since when."""

    stage: int
    attempt: int
    indexes: list[int]
    begun: list[int]


class Returned(NamedTuple):
    """Tasks of one stage and attempt that never started and will not."""

    stage: int
    attempt: int
    ranges: list[list[int]]


class Update(msgspec.Struct, frozen=True, array_like=True):
    """What a running task says of itself."""

    stage: int
    attempt: int
    index: int
    metrics: dict[str, Any] | None = None
    accumulators: dict[str, Any] | None = None


class Finished(Protocol):
    """Tasks of one stage and attempt that finished, as columns of equal length; `inputs` and `metrics` may be shorter."""

    @property
    def stage(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def indexes(self) -> Sequence[int]: ...
    @property
    def begun(self) -> Sequence[int]: ...
    @property
    def ended(self) -> Sequence[int]: ...
    @property
    def results(self) -> Sequence[str | None]: ...
    @property
    def inputs(self) -> Sequence[int]: ...
    @property
    def metrics(self) -> Sequence[str | None]: ...


class Ending(Protocol):
    """Ends with more to tell than a result, on one node; `sent` is what its clock showed, in microseconds."""

    @property
    def node(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def others(self) -> Sequence[End]: ...


class Report(Ending, Protocol):
    """A whole report, by session and number."""

    @property
    def session(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def pause(self) -> int: ...
    @property
    def finished(self) -> Sequence[Finished]: ...
    @property
    def starts(self) -> Sequence[Started]: ...
    @property
    def returns(self) -> Sequence[Returned]: ...
    @property
    def updates(self) -> Sequence[Update]: ...


@dataclass(frozen=True, slots=True)
class Losses:
    """Ends that no agent reported."""

    node: int
    sent: int
    others: list[End] = field(default_factory=list)
