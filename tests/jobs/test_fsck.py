"""What `manage.py fsck` finds: each test breaks one thing in the database, as only a fault can, and looks for it."""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from access.roles import Role, grant
from artifacts import collection, references, storing
from artifacts.kinds import Kind
from artifacts.models import Artifact
from artifacts.storage import Storage
from jobs.checks import waits
from jobs.commands import programs
from jobs.leader.loop import Leader
from jobs.models import Assignment, Attempt, Job, Lease, Program, Stage, Task
from nodes import services
from nodes.models import Condition, Event, Node
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN
from tests.programs.archives import zipped

Submit = Callable[..., Job]


def fsck() -> str:
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("fsck", stderr=told)
    return told.getvalue()


@pytest.fixture
def ended(leader: Leader, agent: ListAgent, job: Submit) -> Job:
    """Give a job of one task that failed once, two minutes ago, and finished."""
    made = job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    call_command("fsck", stdout=StringIO())
    for model in (Task, Attempt):
        for row in model.objects.all():
            times = {name: getattr(row, name) - timedelta(minutes=2) for name in ("scheduled_at", "started_at", "ended_at")}
            model.objects.filter(stage_id=row.stage_id, index=row.index).update(**times)
    Job.objects.update(ended_at=timezone.now() - timedelta(minutes=2))
    call_command("fsck", stdout=StringIO())
    return made


@pytest.mark.parametrize(
    ("model", "broken", "said"),
    [
        (Attempt, {"ended_at": None}, "I4"),
        (Attempt, {"attempt": 7}, "I3 attempt numbers grow"),
        (Task, {"ended_at": None}, "I3 what a state says"),
        (Task, {"logs": {"stdout": {"bytes": 5}}}, "I15"),
        (Task, {"inputs": 5}, "I7 a task was handed"),
    ],
)
def test_what_breaks_is_found(ended: Job, model: Any, broken: dict[str, Any], said: str) -> None:
    before = dict(model.objects.values(*broken).get())
    model.objects.update(**broken)
    assert said in fsck()
    model.objects.update(**before)


def test_what_began_after_its_node_was_paused_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    services.pause(ANN, agent.node, "disk")
    leader.tick()
    agent.listen()
    turn(leader, agent.report())
    call_command("fsck", stdout=StringIO())
    Node.objects.update(settled_at=timezone.now() - timedelta(hours=1))
    Task.objects.update(started_at=timezone.now())
    assert "I10" in fsck()
    Node.objects.update(settled_at=timezone.now())
    turn(leader, agent.finish(agent.tasks()))


def test_an_agent_that_does_not_have_its_tasks_is_found(leader: Leader, agent: ListAgent) -> None:
    now = timezone.now()
    Condition.objects.create(node_id=agent.node, name="differs", kind="error", title="t", started_at=now, updated_at=now)
    assert "I2 agents have what stands on their lists: n1" in fsck()


def test_an_epoch_that_was_given_twice_is_found(leader: Leader) -> None:
    again = Event.objects.get(kind="lease_taken")
    again.pk = None
    again.save()
    assert "I11" in fsck()
    again.delete()
    Lease.objects.update(epoch=leader.epoch - 1)
    assert "I11" in fsck()
    Lease.objects.update(epoch=leader.epoch)


@pytest.fixture
def person(transactional_db: None) -> Client:
    user = User.objects.create_user("ada")
    grant(user, Role.ADMIN)
    client = Client()
    client.force_login(user)
    return client


def test_a_change_by_a_person_without_its_row_in_the_audit_is_found(leader: Leader, agent: ListAgent, person: Client) -> None:
    described = {"name": "a", "stages": [{"name": "a", "command": ["true"]}]}
    made = person.post("/api/v1/jobs", described, content_type="application/json").json()["id"]
    assert person.post(f"/api/v1/jobs/{made}/cancel").status_code == 202
    assert person.post("/api/v1/nodes/n1/pause", {"reason": "disk"}, content_type="application/json").status_code == 200
    changed = person.patch("/api/v1/scheduler", {"strategy": "round_robin"}, content_type="application/json")
    assert changed.status_code == 200
    leader.tick()
    turn(leader)
    call_command("fsck", stdout=StringIO())
    for action in ("job.submit", "job.cancel", "node.pause", "scheduler.change"):
        row = AuditEntry.objects.get(action=action)
        row.delete()
        assert "I13" in fsck(), action
        row.save()
        AuditEntry.objects.filter(id=row.id).update(at=row.at)
    doubled = AuditEntry.objects.get(action="job.submit")
    doubled.pk = None
    doubled.save()
    assert "I13" in fsck()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "APART", 0.0)


@pytest.mark.usefixtures("looks")
def test_what_waits_for_stages_that_have_ended_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}, "b": {"needs": ["a"]}})
    turn(leader)
    call_command("fsck", stdout=StringIO())
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:1]))
    waiting = Stage.objects.filter(name="b")
    waiting.update(open_needs=1)
    assert "it waits for stages, and all before it have ended" in fsck()
    waiting.update(open_needs=0)


@pytest.mark.usefixtures("looks")
def test_what_waits_for_a_backoff_that_is_over_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 3600, "max": 3600}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    call_command("fsck", stdout=StringIO())
    Stage.objects.update(next_due=timezone.now() - timedelta(minutes=1))
    assert "a backoff, which is over" in fsck()


@pytest.mark.usefixtures("looks")
def test_what_nobody_places_though_nothing_keeps_it_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    assert f"nothing keeps it from running, and it is not placed: ({made.number}, 'a')" in fsck()
    turn(leader)
    call_command("fsck", stdout=StringIO())


@pytest.mark.usefixtures("looks")
def test_what_waits_behind_nothing_on_a_list_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 8}})
    turn(leader)
    call_command("fsck", stdout=StringIO())
    before = list(Assignment.objects.values_list("id", "held"))
    Assignment.objects.update(held=[])
    assert "none of them runs" in fsck()
    for id_, held in before:
        Assignment.objects.filter(id=id_).update(held=held)


def test_what_is_only_seen_once_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([{"just placed", "stuck"}, {"stuck", "new"}])
    monkeypatch.setattr(waits, "_look", lambda: next(looks))
    monkeypatch.setattr(waits, "APART", 0.0)
    assert waits.unexplained() == ["stuck"]


def test_references_to_what_is_not_stored_are_found(ended: Job, kept: Storage) -> None:
    digest = hashlib.sha256(b"large").hexdigest()
    references.refer(Kind.JOB, [(ended.id, digest)])
    assert f"the artifact {digest} is not stored, and the job {ended.id} refers to it" in fsck()
    storing.store(digest, [b"large"])
    call_command("fsck", stdout=StringIO())


def test_results_without_a_reference_and_references_without_a_job_are_found(ended: Job, kept: Storage) -> None:
    digest = hashlib.sha256(b"large").hexdigest()
    storing.store(digest, [b"large"])
    Task.objects.update(result_digest=digest)
    assert f"the artifact {digest} is kept for the job {ended.id}, and no reference says so" in fsck()
    references.refer(Kind.JOB, [(ended.id, digest)])
    call_command("fsck", stdout=StringIO())
    references.refer(Kind.JOB, [(gone := uuid4(), digest)])
    assert f"artifacts are kept for the job {gone}, which is gone" in fsck()


def test_programs_without_a_reference_and_references_without_a_program_are_found(ended: Job, kept: Storage) -> None:
    data = zipped({"switchyard.yaml": "jobs: {a: {job: {name: a, stages: [{name: s, command: ['true']}]}}}"})
    digest = hashlib.sha256(data).hexdigest()
    found = programs.upload(ANN, "a.zip", BytesIO(data), digest, len(data))
    Stage.objects.filter(job=ended).update(spec={"program": {"digest": digest}})
    assert f"the artifact {digest} is kept for the job {ended.id}, and no reference says so" in fsck()
    references.refer(Kind.JOB, [(ended.id, digest)])
    call_command("fsck", stdout=StringIO())
    references.release(Kind.PROGRAM, [found.id])
    assert f"the artifact {digest} is kept for the program {found.id}, and no reference says so" in fsck()
    references.refer(Kind.PROGRAM, [(found.id, digest)])
    Program.objects.filter(id=found.id).delete()
    assert f"artifacts are kept for the program {found.id}, which is gone" in fsck()


def test_what_was_not_collected_in_time_is_found(ended: Job, kept: Storage, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"large").hexdigest()
    storing.store(digest, [b"large"])
    then = timezone.now() - timedelta(days=2)
    os.utime(tmp_path / "artifacts" / digest[:2] / digest, (then.timestamp(), then.timestamp()))
    call_command("fsck", stdout=StringIO())
    Artifact.objects.update(touched_at=then)
    wrong = f"the artifact {digest} is stored, and nothing has referred to it for a day"
    assert wrong in fsck()
    Artifact.objects.all().delete()
    assert wrong in fsck()
    collection.collect(timezone.now())
    call_command("fsck", stdout=StringIO())
