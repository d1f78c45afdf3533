"""What can go wrong between a user and a server. What is wrong with a job description stands in scheduling.errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from switchyard.scheduling.errors import Fault, SwitchyardError


class Misconfigured(SwitchyardError):
    """The address or the token of the server is not usable."""


class Unpackable(SwitchyardError):
    """A file that goes with the job cannot be packed."""


class Unreachable(SwitchyardError):
    """The server cannot be reached."""

    passing = True


class ServerFailed(SwitchyardError):
    """The server could not do what it was asked to; `passing` if it may when asked again soon."""

    def __init__(self, message: str = "", *, passing: bool = False) -> None:
        self.passing = passing
        super().__init__(message)


class Refused(SwitchyardError):
    """The server refuses the request; by an HTTP `status`, for the reasons `faults`, which `answered` tells in full."""

    def __init__(
        self, status: int, faults: Sequence[Fault], hint: str = "", answered: Mapping[str, Any] | None = None
    ) -> None:
        self.status = status
        self.answered = answered
        self.faults = tuple(faults)
        said = "; ".join(fault.sentence for fault in self.faults)
        super().__init__(" ".join(part for part in (said, hint) if part))


class JobFailed(SwitchyardError):
    """The job ended without being finished; `state` says how."""

    def __init__(self, job: int, state: str, error: str) -> None:
        self.job = job
        self.state = state
        super().__init__(f"job {job} is {state}" + (f": {error}" if error else ""))


class OperationFailed(SwitchyardError):
    """What was asked for has failed."""
