"""A submitted job as a program holds it: wait for it, watch it, take its results."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from switchyard.answers import JobStatus
from switchyard.client import Client
from switchyard.errors import JobFailed


class Submitted:
    """A job on a server, named by its number there."""

    def __init__(self, client: Client, job: JobStatus) -> None:
        self.number = job.number
        self.id = job.id
        self._client = client

    def __repr__(self) -> str:
        return f"Submitted({self.number})"

    def status(self) -> JobStatus:
        """Ask where the job stands."""
        return self._client.job(self.id)

    def watch(self) -> Iterator[JobStatus]:
        """Yield the job each time it has moved, until it has ended."""
        return self._client.watch(self.id)

    def wait(self, timeout: float = inf) -> JobStatus:
        """Return the job once it has ended, however; raise TimeoutError after so many seconds."""
        return self._client.wait(self.id, timeout=timeout)

    def results(self) -> Mapping[str, tuple[Any, ...]]:
        """Wait, and return the results of the stages that no other needs, by name.

        Raises JobFailed if the job was not finished.
        """
        job = self.wait()
        if not job.is_finished:
            raise JobFailed(job.number, job.state, job.error)
        return self._client.results(self.id).results

    def drain(self) -> JobStatus:
        """Let the job end early: nothing more begins at its sources."""
        return self._client.drain(self.id)

    def suspend(self, reason: str = "") -> JobStatus:
        """Let nothing of the job run until it is resumed."""
        return self._client.suspend(self.id, reason)

    def resume(self, reason: str = "") -> JobStatus:
        """Let the job go on, if it is suspended."""
        return self._client.resume_job(self.id, reason)

    def cancel(self) -> JobStatus:
        """Ask for the job to be canceled."""
        return self._client.cancel(self.id)
