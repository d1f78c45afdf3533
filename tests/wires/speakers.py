"""How each wire is spoken to by the tests that all of them pass: a new wire adds its speaker here."""

import json
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from django.test import Client

from switchyard.scheduling.lifecycle.states import JobState

UNKNOWN = "00000000-0000-0000-0000-000000000001"


class Speaker(Protocol):
    """One wire, as the shared tests ask of it."""

    name: str
    #: A request that viewers may send, and one that they may not.
    reading: tuple[str, str]
    changing: tuple[str, str]
    #: A method that the reading route does not take, and the status that says so.
    wrong_verb: tuple[str, int]
    #: A path of this wire that leads nowhere.
    nowhere: str

    def is_error(self, status: int, answer: Any) -> bool:
        """Say whether an answer is an error with this status in the words of the wire."""


class JobSpeaker(Speaker, Protocol):
    """A wire that tells of single jobs."""

    #: Its word for each state of a job.
    words: Mapping[JobState, str]
    #: Requests about a job that there is not; each is a 404.
    unknown: list[tuple[str, str]]
    #: What it says of an id that no job could have.
    malformed: int
    #: Paths that tell of one job, by a format with `id`.
    pages: list[str]

    def jobs(self, client: Client) -> dict[str, str]:
        """Return the word for each job's state in the list of all, by our id."""

    def state(self, client: Client, id_: str) -> str:
        """Return the word for one job's state."""

    def tasks(self, client: Client, id_: str) -> int:
        """Return how many tasks are told of a job."""

    def cancel(self, client: Client, id_: str) -> bool:
        """Ask a job to stop; say whether that was accepted."""


class Ballista:
    """Ballista 54.1.0."""

    name = "ballista"
    words: Mapping[JobState, str] = {
        JobState.CREATED: "Queued",
        JobState.RUNNING: "Running",
        JobState.FAILING: "Running",
        JobState.FAILED: "Failed",
        JobState.CANCELING: "Running",
        JobState.CANCELED: "Failed",
        JobState.FINISHED: "Completed",
        JobState.SUSPENDING: "Running",
        JobState.SUSPENDED: "Queued",
    }
    pages = [
        "/api/job/{id}",
        "/api/job/{id}?plan_format=tree",
        "/api/job/{id}?plan_format=metrics",
        "/api/job/{id}/stages",
        "/api/job/{id}/config",
        "/api/job/{id}/dot",
        "/api/job/{id}/dot_svg",
        "/api/job/{id}/stage/1/dot",
    ]
    malformed = 404
    unknown = [("PATCH", f"/api/job/{UNKNOWN}"), *(("GET", page.format(id=UNKNOWN)) for page in pages)]
    reading = ("GET", "/api/jobs")
    changing = ("PATCH", f"/api/job/{UNKNOWN}")
    wrong_verb = ("DELETE", 405)
    nowhere = "/api/nowhere"

    def jobs(self, client: Client) -> dict[str, str]:
        return {job["job_id"]: job["status"] for job in client.get("/api/jobs").json()}

    def state(self, client: Client, id_: str) -> str:
        word: str = client.get(f"/api/job/{id_}").json()["status"]
        return word

    def tasks(self, client: Client, id_: str) -> int:
        told = json.loads(b"".join(client.get(f"/api/job/{id_}/stages")))
        return sum(len(stage["tasks"]) for stage in told["stages"])

    def cancel(self, client: Client, id_: str) -> bool:
        answer = client.patch(f"/api/job/{id_}")
        assert answer.status_code == (200 if answer.json()["cancelled"] else 409)
        accepted: bool = answer.json()["cancelled"]
        return accepted

    def is_error(self, status: int, answer: Any) -> bool:
        if status == 400:
            return str(answer["Content-Type"]) == "text/plain; charset=utf-8"
        return bool(answer.status_code == status and answer.json()["http_code"] == status and answer.json()["reason"])


class Flink:
    """Flink's monitoring API, 1.5."""

    name = "flink"
    words: Mapping[JobState, str] = {
        JobState.CREATED: "CREATED",
        JobState.RUNNING: "RUNNING",
        JobState.FAILING: "FAILING",
        JobState.FAILED: "FAILED",
        JobState.CANCELING: "CANCELLING",
        JobState.CANCELED: "CANCELED",
        JobState.FINISHED: "FINISHED",
        JobState.SUSPENDING: "RUNNING",
        JobState.SUSPENDED: "SUSPENDED",
    }
    pages = [
        "/jobs/{id}",
        "/jobs/{id}?legacy=true",
        "/v1/jobs/{id}/vertices/",
        "/jobs/{id}/accumulators",
        "/jobs/{id}/config",
        "/jobs/{id}/exceptions",
        "/jobs/{id}/execution-result",
        "/jobs/{id}/plan",
        "/jobs/{id}/status",
    ]
    malformed = 400
    unknown = [
        ("PATCH", f"/jobs/{UNKNOWN}"),
        ("GET", f"/jobs/{UNKNOWN}/yarn-cancel"),
        ("DELETE", f"/jobs/{UNKNOWN}/cancel"),
        *(("GET", page.format(id=UNKNOWN)) for page in pages if "legacy" not in page),
    ]
    reading = ("GET", "/jobs/overview")
    changing = ("PATCH", f"/jobs/{UNKNOWN}")
    wrong_verb = ("DELETE", 404)
    nowhere = "/jobs/nowhere/nowhere"

    def jobs(self, client: Client) -> dict[str, str]:
        return {str(UUID(job["jid"])): job["state"] for job in client.get("/jobs/overview").json()["jobs"]}

    def state(self, client: Client, id_: str) -> str:
        word: str = client.get(f"/jobs/{UUID(id_).hex}").json()["state"]
        return word

    def tasks(self, client: Client, id_: str) -> int:
        vertices = client.get(f"/jobs/{id_}").json()["vertices"]
        details = [client.get(f"/jobs/{id_}/vertices/{vertex['id']}") for vertex in vertices]
        return sum(len(json.loads(b"".join(detail))["subtasks"]) for detail in details)

    def cancel(self, client: Client, id_: str) -> bool:
        answer = client.patch(f"/jobs/{id_}")
        assert answer.status_code in (202, 404)
        return bool(answer.status_code == 202)

    def is_error(self, status: int, answer: Any) -> bool:
        return bool(answer.status_code == status and [type(each) for each in answer.json()["errors"]] == [str])


class Scale:
    """NGA Scale, which here tells of jobs in numbers alone."""

    name = "scale"
    reading = ("GET", "/scheduler/")
    changing = ("PATCH", "/scheduler/")
    wrong_verb = ("DELETE", 405)
    nowhere = "/v6/nowhere"

    def is_error(self, status: int, answer: Any) -> bool:
        if status in (400, 500):
            return str(answer["Content-Type"]) == "text/plain; charset=utf-8"
        return bool(answer.status_code == status and answer.json().keys() == {"detail"})


OF_JOBS: list[JobSpeaker] = [Ballista(), Flink()]
SPEAKERS: list[Speaker] = [*OF_JOBS, Scale()]
