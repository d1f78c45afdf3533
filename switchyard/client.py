"""The client: what a program can ask of a server, one method for each path of the API (docs/api.md).

How requests travel and fail stands in requesting, where the server is in finding.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

from switchyard import task
from switchyard.answers import (
    Explanation,
    FileStatus,
    JobStatus,
    LogPart,
    NodeStatus,
    OperationStatus,
    ProgramStatus,
    Results,
    Retrial,
    SchedulerStatus,
    StageResults,
    StageStatus,
    TaskStatus,
    decode,
)
from switchyard.checkpoints import CheckpointStatus
from switchyard.configuration import find
from switchyard.downloading import download
from switchyard.errors import OperationFailed
from switchyard.http import PATIENCE, Requests
from switchyard.looking import looks

T = TypeVar("T")
Stream = Literal["stdout", "stderr"]
#: So many stages are asked for each time that a job which is watched has moved.
FEW_STAGES = 20
#: How long a wait outlives a server that is away.
WAITING_PATIENCE = 60.0


class Client:
    """A connection to a server: the given one, else the one that the environment or the configuration file names."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._requests = Requests(find(os.environ, url, token))

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._requests.server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._requests.close()

    def submit(
        self,
        description: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        savepoint: str | None = None,
        allow_non_restored: bool = False,
    ) -> JobStatus:
        """Submit a job description; the same key never makes a second job, not even when an answer is lost.

        It may start from a savepoint, given by its location (docs/tasks.md). Raises RuntimeError in a module that a task is
        just being loaded from.
        """
        task.require_loaded()
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        params = {"savepoint": savepoint, "allow_non_restored": allow_non_restored} if savepoint else None
        answer = self._requests.send("POST", "jobs", json=description, headers=headers, params=params)
        return decode(JobStatus, answer.json())

    def summary(self, job: int | str, *, patience: float = PATIENCE) -> JobStatus:
        """Return where a job stands, without its stages and description: small however large the job."""
        return self._get(JobStatus, _path("jobs", job, "summary"), patience=patience)

    def job(self, job: int | str) -> JobStatus:
        """Return a job, by its number or id, with its stages."""
        return self._get(JobStatus, _path("jobs", job))

    def jobs(self, *, limit: int | None = None, **filters: str | Sequence[str]) -> Iterator[JobStatus]:
        """Yield jobs, newest first; filters are search, state, owner, type, name, pool, created_after and _before."""
        return self._list(JobStatus, "jobs", filters, limit)

    def watch(self, job: int | str) -> Iterator[JobStatus]:
        """Yield the job each time it has moved, until it has ended; a server that restarts meanwhile is waited for.

        Its stages come along while they are few, and in any case at the end.
        """
        last = None
        for now in looks(lambda: self.summary(job, patience=WAITING_PATIENCE)):
            if now.has_ended:
                yield self.job(job)
            elif now != last:
                few = now.stages_total <= FEW_STAGES
                yield replace(now, stages=tuple(self.stages(job))) if few else now
            last = now

    def wait(self, job: int | str, *, timeout: float = inf) -> JobStatus:
        """Return the job once it has ended, however; raise TimeoutError after so many seconds."""
        deadline = time.monotonic() + timeout
        for now in looks(lambda: self.summary(job, patience=WAITING_PATIENCE)):
            if now.has_ended:
                return self.job(job)
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {now.number} is still {now.state} after {timeout:g} s")
        raise AssertionError("the looks at a job end only when it has")

    def drain(self, job: int | str) -> JobStatus:
        """Let a job end early: nothing more begins at its sources, and what has begun is worked off."""
        return self._post(JobStatus, _path("jobs", job, "drain"))

    def checkpoint(self, job: int | str) -> OperationStatus:
        """Save the states of all running tasks of a job together; the operation ends when all have answered."""
        return self._post(OperationStatus, _path("jobs", job, "checkpoint"))

    def savepoint(self, job: int | str, *, then: str = "go_on", directory: str | None = None) -> OperationStatus:
        """Write a savepoint, then let the job go_on, cancel, stop or drain; the operation's outcome has its location."""
        return self._post(OperationStatus, _path("jobs", job, "savepoint"), {"then": then, "directory": directory})

    def dispose(self, job: int | str, savepoint: int) -> None:
        """Dispose of a savepoint; jobs that started from it go on."""
        self._requests.send("DELETE", _path("jobs", job, "checkpoints", savepoint), repeatable=False)

    def suspend(self, job: int | str, reason: str = "") -> JobStatus:
        """Let nothing of a job run until it is resumed: what runs is ended, and is run again then.

        The answer's `operation` ends when nothing of the job runs any more (`wait_operation`).
        """
        return self._post(JobStatus, _path("jobs", job, "suspend"), {"reason": reason})

    def resume_job(self, job: int | str, reason: str = "") -> JobStatus:
        """Let a suspended job go on; one that is not stays as it is."""
        return self._post(JobStatus, _path("jobs", job, "resume"), {"reason": reason})

    def release(self, job: int | str) -> JobStatus:
        """Let a job go on that is held; one that is not stays as it is."""
        return self._post(JobStatus, _path("jobs", job, "release"))

    def cancel(self, job: int | str) -> JobStatus:
        """Ask for a job to be canceled; one that has ended stays as it is."""
        return self._post(JobStatus, _path("jobs", job, "cancel"))

    def retry(
        self,
        job: int | str,
        *,
        changes: Mapping[str, Any] | None = None,
        description: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobStatus:
        """Submit what failed of a job as a new job, in which the finished tasks stand; return the new one.

        `changes` are values by paths, such as {"stages.train.resources.mem": "8GiB"}; a whole description may be given, too.
        The same key never makes a second job; without one, the request is not repeated when an answer is lost.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        path, edit = _path("jobs", job, "retry"), _edit(changes, description)
        answer = self._requests.send("POST", path, json=edit, headers=headers, repeatable=headers is not None)
        return decode(JobStatus, answer.json())

    def preview_retry(
        self,
        job: int | str,
        *,
        changes: Mapping[str, Any] | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> Retrial:
        """Return what `retry` would reuse and run again, and submit nothing."""
        path, edit = _path("jobs", job, "retry"), _edit(changes, description)
        return decode(Retrial, self._requests.send("POST", path, json=edit, params={"dry_run": "true"}).json())

    def checkpoints(self, job: int | str, *, limit: int | None = None, **filters: str) -> Iterator[CheckpointStatus]:
        """Yield the checkpoints of a job, newest first; the filter is state."""
        return self._list(CheckpointStatus, _path("jobs", job, "checkpoints"), filters, limit)

    def checkpoint_status(self, job: int | str, number: int) -> CheckpointStatus:
        """Return a checkpoint of a job with its stages."""
        return self._get(CheckpointStatus, _path("jobs", job, "checkpoints", number))

    def programs(self, *, limit: int | None = None) -> Iterator[ProgramStatus]:
        """Yield uploaded programs, newest first."""
        return self._list(ProgramStatus, "programs", None, limit)

    def upload_program(self, file: Path) -> ProgramStatus:
        """Upload an archive (.zip, .whl, .pyz, .tar.gz, .jar); the same name again is another version."""
        with file.open("rb") as opened:
            answer = self._requests.send("POST", "programs", files={"file": (file.name, opened)}, repeatable=False)
        return decode(ProgramStatus, answer.json())

    def delete_program(self, program: str) -> None:
        """Forget a program; jobs that were made of it keep what they need."""
        self._requests.send("DELETE", _path("programs", program), repeatable=False)

    def plan_program(
        self, program: str, *, entry: str | None = None, arguments: Sequence[str] = (), parallelism: int | None = None
    ) -> dict[str, Any]:
        """Return the description of the job that `run_program` would submit; raises OperationFailed as that does."""
        asked = self.ask_program("plan", program, entry, arguments, parallelism)
        outcome = self._outcome(asked) if isinstance(asked, OperationStatus) else asked
        description: dict[str, Any] = outcome["description"]
        return description

    def run_program(
        self,
        program: str,
        *,
        entry: str | None = None,
        arguments: Sequence[str] = (),
        parallelism: int | None = None,
        idempotency_key: str | None = None,
    ) -> JobStatus:
        """Submit the job of a program's entry point, the first one if none is named; a key as for `submit`.

        A function `module:function` is called on an agent, which is waited for. Raises OperationFailed if it fails.
        """
        asked = self.ask_program("run", program, entry, arguments, parallelism, idempotency_key)
        return self.job(self._outcome(asked)["id"]) if isinstance(asked, OperationStatus) else decode(JobStatus, asked)

    def ask_program(
        self,
        what: Literal["plan", "run"],
        program: str,
        entry: str | None = None,
        arguments: Sequence[str] = (),
        parallelism: int | None = None,
        idempotency_key: str | None = None,
    ) -> OperationStatus | dict[str, Any]:
        """Ask for a plan or a run, and return its answer, or the operation that ends with that."""
        call = {"entry": entry, "arguments": list(arguments), "parallelism": parallelism}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        answer = self._requests.send("POST", _path("programs", program, what), json=call, headers=headers)
        told: dict[str, Any] = answer.json()
        return decode(OperationStatus, told) if answer.status_code == HTTPStatus.ACCEPTED else told

    def _outcome(self, asked: OperationStatus) -> dict[str, Any]:
        """Wait for an operation, and return what came of it."""
        ended = self.wait_operation(asked.id)
        if ended.failure is not None:
            raise OperationFailed(f"{ended.failure.name}: {ended.failure.text}")
        outcome: dict[str, Any] = ended.outcome
        return outcome

    def operations(self, *, limit: int | None = None, **filters: str) -> Iterator[OperationStatus]:
        """Yield operations, newest first; filters are job, kind and state."""
        return self._list(OperationStatus, "operations", filters, limit)

    def operation(self, operation: str) -> OperationStatus:
        """Return an operation by its id."""
        return self._get(OperationStatus, _path("operations", operation), patience=WAITING_PATIENCE)

    def watch_operation(self, operation: str) -> Iterator[OperationStatus]:
        """Yield an operation each time that it is looked at, until it has ended."""
        yield from looks(lambda: self.operation(operation))

    def wait_operation(self, operation: str, *, timeout: float = inf) -> OperationStatus:
        """Return an operation once it has ended, however; raise TimeoutError after so many seconds."""
        deadline = time.monotonic() + timeout
        for now in self.watch_operation(operation):
            if not now.has_ended and time.monotonic() > deadline:
                raise TimeoutError(f"operation {now.id} is still {now.state} after {timeout:g} s")
        return now

    def delete(self, job: int | str) -> None:
        """Delete a job that has ended, with its logs and results."""
        self._requests.send("DELETE", _path("jobs", job), repeatable=False)

    def explain(self, job: int | str) -> Explanation:
        """Ask why a job is not further than it is."""
        return self._get(Explanation, _path("jobs", job, "explain"))

    def results(self, job: int | str) -> Results:
        """Return the results of the stages that no other needs."""
        return self._get(Results, _path("jobs", job, "results"))

    def stage_results(self, job: int | str, stage: str) -> StageResults:
        """Return the results of one stage."""
        return self._get(StageResults, _path("jobs", job, "stages", stage, "results"))

    def stages(self, job: int | str) -> Iterator[StageStatus]:
        """Yield the stages of a job by position."""
        return self._list(StageStatus, _path("jobs", job, "stages"))

    def tasks(self, job: int | str, *, limit: int | None = None, **filters: str | Sequence[str]) -> Iterator[TaskStatus]:
        """Yield the tasks of a job by stage and index; filters are stage and state."""
        return self._list(TaskStatus, _path("jobs", job, "tasks"), filters, limit)

    def task(self, job: int | str, stage: str, index: int) -> TaskStatus:
        """Return a task with its result and its attempts."""
        return self._get(TaskStatus, _path("jobs", job, "stages", stage, "tasks", index))

    def result(self, job: int | str, stage: str, index: int) -> Any:
        """Return the result of one task; while there is none, this is Refused."""
        return self._requests.send("GET", _path("jobs", job, "stages", stage, "tasks", index, "result")).json()

    def files(self, job: int | str, *, limit: int | None = None, **filters: str | Sequence[str]) -> Iterator[FileStatus]:
        """Yield the files that tasks of a job hand on, by stage, task and name; filters are stage and output."""
        return self._list(FileStatus, _path("jobs", job, "files"), filters, limit)

    def download(self, job: int | str, file: FileStatus, target: Path, came: Callable[[int], None] = lambda _: None) -> None:
        """Write a file of a job to a path, whole and verified or not at all; go on where an earlier try broke off.

        What has come so far stands beside it as <name>.<digest>.part; `came` is told of the bytes as they come.
        """
        parts = ("jobs", job, "stages", file.stage, "tasks", file.index, "files", file.output)
        path = f"{_path(*parts)}/{quote(file.path)}"
        download(lambda offset: self._requests.pieces(path, offset), target, file.digest, file.size, came)
        if file.executable:
            target.chmod(target.stat().st_mode | 0o111)

    def log(self, job: int | str, stage: str, index: int, stream: Stream, **where: int) -> LogPart:
        """Return a part of a task's log, asked for by offset and limit (bytes) or tail (lines), and by attempt."""
        path = _path("jobs", job, "stages", stage, "tasks", index, "logs", stream)
        answer = self._requests.send("GET", path, params=where, patience=WAITING_PATIENCE)
        told = answer.headers
        return LogPart(
            answer.content,
            int(told["X-Log-Offset"]),
            int(told["X-Log-Next"]),
            int(told["X-Log-Size"]),
            told["X-Log-Ended"] == "true",
        )

    def nodes(self, *, limit: int | None = None, **filters: str | Sequence[str]) -> Iterator[NodeStatus]:
        """Yield the nodes by name; filters are search, pool and state."""
        return self._list(NodeStatus, "nodes", filters, limit)

    def node(self, node: int | str) -> NodeStatus:
        """Return a node, by its name or id."""
        return self._get(NodeStatus, _path("nodes", node))

    def pause_node(self, node: int | str, reason: str = "") -> NodeStatus:
        """Start nothing more on a node; what has begun goes on."""
        return self._post(NodeStatus, _path("nodes", node, "pause"), {"reason": reason})

    def drain_node(self, node: int | str, reason: str = "") -> NodeStatus:
        """Empty a node: it is given nothing more, and counts as drained when what it has begun has ended."""
        return self._post(NodeStatus, _path("nodes", node, "drain"), {"reason": reason})

    def delete_node(self, node: int | str) -> None:
        """Forget a node that is gone for ever; what ran there keeps its name."""
        self._requests.send("DELETE", _path("nodes", node), repeatable=False)

    def resume_node(self, node: int | str) -> NodeStatus:
        """Let a node that was paused or drained start tasks again."""
        return self._post(NodeStatus, _path("nodes", node, "resume"))

    def scheduler(self) -> SchedulerStatus:
        """Return how the scheduler is set, and who leads."""
        return self._get(SchedulerStatus, "scheduler")

    def set_scheduler(self, **settings: bool | str) -> SchedulerStatus:
        """Change the scheduler: paused, pause_reason, strategy, allocation, allocation_of."""
        return decode(SchedulerStatus, self._requests.send("PATCH", "scheduler", json=settings).json())

    def pause(self, reason: str = "") -> SchedulerStatus:
        """Start nothing more anywhere; what has begun goes on."""
        return self.set_scheduler(paused=True, pause_reason=reason)

    def resume(self) -> SchedulerStatus:
        """Start tasks again."""
        return self.set_scheduler(paused=False, pause_reason="")

    def _get(self, kind: type[T], path: str, **how: Any) -> T:
        return decode(kind, self._requests.send("GET", path, **how).json())

    def _post(self, kind: type[T], path: str, body: object = None) -> T:
        return decode(kind, self._requests.send("POST", path, json=body).json())

    def _list(
        self, kind: type[T], path: str, filters: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[T]:
        return (decode(kind, each) for each in self._requests.pages(path, filters or {}, limit))


def _edit(changes: Mapping[str, Any] | None, description: Mapping[str, Any] | None) -> dict[str, Any]:
    return ({"set": changes} if changes else {}) | ({"description": description} if description is not None else {})


def _path(*parts: int | str) -> str:
    return "/".join(quote(str(part), safe="") for part in parts)
