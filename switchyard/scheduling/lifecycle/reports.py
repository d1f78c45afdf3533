"""What rules read of an agent's report. switchyard.messaging.messages has the classes; these are their shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


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
    def others(self) -> Sequence[Mapping[str, Any]]: ...


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
    def starts(self) -> Sequence[Sequence[Any]]: ...
    @property
    def returns(self) -> Sequence[Sequence[Any]]: ...
    @property
    def updates(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Losses:
    """Ends that no agent reported."""

    node: int
    sent: int
    others: list[dict[str, Any]] = field(default_factory=list)
