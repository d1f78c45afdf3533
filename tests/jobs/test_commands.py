"""Every command writes exactly one row into the audit if it changes something, in its own transaction, and none otherwise."""

import ast
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from access import services as people
from access import tokens
from access.identifying import Identity
from access.models import AuditEntry
from access.roles import Role
from jobs.commands import admission, checkpoints, programs
from jobs.commands import control as jobs
from jobs.models import Checkpoint, Job
from nodes import services as nodes
from nodes.models import Node
from nodes.shutdown import shut_down
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.lifecycle.states import Intent, JobState
from switchyard.scheduling.spec import from_data
from tests.jobs.submissions import submit
from tests.people import user_in
from tests.programs.archives import zipped

ROOT = Path(__file__).parents[2]
PACKAGES = ("access", "jobs", "nodes", "status", "wires", "scheduler_project")
STAGES = [{"name": "a", "python": "bench.callables:square"}]
DESCRIBED = {"name": "test", "type": {"name": "nightly"}, "stages": STAGES}
TEXT = '{"name": "test", "stages": [{"name": "a", "command": ["true"]}]}'
#: The two that write their row together with the statements of a submission.
ADMISSION = {"jobs.commands.admission.submit": "job.submit", "jobs.commands.admission.retry": "job.retry"}


def made(**fields: Any) -> Any:
    id_ = submit(from_data(DESCRIBED))
    Job.objects.filter(id=id_).update(**fields)
    return id_


def ended(state: JobState = JobState.FAILED) -> Any:
    return made(state=state, ended_at=timezone.now())


def node(**fields: Any) -> int:
    return int(Node.objects.create(name=f"n{Node.objects.count()}", pool="default", **fields).id)


def kind() -> tuple[str, str]:
    made()
    return "nightly", "1"


def person(name: str = "bob") -> User:
    return User.objects.create_user(name)


def saved() -> tuple[Any, int]:
    """Return a job with a savepoint, and its number."""
    id_ = ended()
    written = {"is_savepoint": True, "manifest": "0" * 64, "location": "/none", "finished": []}
    Checkpoint.objects.create(job_id=id_, number=1, state=Checkpoint.State.COMPLETED, triggered_at=timezone.now(), **written)
    return id_, 1


def uploaded(by: Identity, *, audited: bool = True) -> Any:
    data = zipped({"switchyard.yaml": f"jobs: {{a: {{job: {TEXT}}}}}"})
    id_ = programs.upload(by, "a.zip", BytesIO(data), sha256(data).hexdigest(), len(data)).id
    if not audited:
        AuditEntry.objects.all().delete()
    return id_


#: How each command is given something to change.
COMMANDS: dict[str, Callable[[Identity], object]] = {
    "jobs.commands.admission.submit": lambda by: admission.submit(by, TEXT, admission.id_alone),
    "jobs.commands.admission.retry": lambda by: admission.retry(by, ended(), admission.id_alone),
    "jobs.commands.control.cancel": lambda by: jobs.cancel(by, made()),
    "jobs.commands.control.release": lambda by: jobs.release(by, made(held_reason="odd")),
    "jobs.commands.control.drain": lambda by: jobs.drain(by, made()),
    "jobs.commands.checkpoints.trigger": lambda by: checkpoints.trigger(by, made(state=JobState.RUNNING)),
    "jobs.commands.checkpoints.save": lambda by: checkpoints.save(by, made(state=JobState.RUNNING)),
    "jobs.commands.checkpoints.dispose": lambda by: checkpoints.disposed(by, *saved()),
    "jobs.commands.checkpoints.failed": lambda by: checkpoints.failed(by, Kind.SAVEPOINT, checkpoints.NotRunning(), made()),
    "jobs.commands.control.suspend": lambda by: jobs.suspend(by, made()),
    "jobs.commands.control.resume": lambda by: jobs.resume(by, made(state=JobState.SUSPENDED, intent=Intent.SUSPEND)),
    "jobs.commands.control.delete": lambda by: jobs.delete(by, ended()),
    "jobs.commands.programs._keep": uploaded,
    "jobs.commands.programs.delete": lambda by: programs.delete(by, uploaded(by, audited=False)),
    "jobs.commands.control.pause_job_type": lambda by: jobs.pause_job_type(by, *kind(), "late"),
    "jobs.commands.control.resume_job_type": lambda by: jobs.resume_job_type(by, *kind()),
    "jobs.commands.control.limit_job_type": lambda by: jobs.limit_job_type(by, *kind(), max_running=3),
    "jobs.commands.control.set_job_type": lambda by: jobs.set_job_type(by, *kind(), title="Nightly"),
    "nodes.services.pause": lambda by: nodes.pause(by, node(), "disk"),
    "nodes.services.resume": lambda by: nodes.resume(by, node(paused=True)),
    "nodes.services.drain": lambda by: nodes.drain(by, node(), "disk"),
    "nodes.services.explain_pause": lambda by: nodes.explain_pause(by, node(), "disk"),
    "nodes.services.deactivate": lambda by: nodes.deactivate(by, node()),
    "nodes.services.activate": lambda by: nodes.activate(by, node(active=False)),
    "nodes.services.delete": lambda by: nodes.delete(by, node()),
    "nodes.services.change_scheduler": lambda by: nodes.change_scheduler(by, paused=True, strategy="spread"),
    "nodes.shutdown.shut_down": shut_down,
    "access.services.create_token": lambda by: people.create_token(
        by, "ci", role=Role.VIEWER, owner=by.user, expires_at=None
    ),
    "access.services.delete_token": lambda by: people.delete_token(by, tokens.create("ci", role=Role.AGENT)[0].id),
    "access.services.create_user": lambda by: people.create_user(by, User(username="bob"), Role.VIEWER),
    "access.services.change_user": lambda by: people.change_user(by, person(), Role.VIEWER, ["role"]),
    "access.services.change_password": lambda by: people.change_password(by, person(), lambda: None),
    "access.services.change_own_password": lambda by: people.change_own_password(by, lambda: None),
    "access.services.let_in": lambda by: people.let_in(by, person()),
}
#: What finds nothing to change.
IDLE: dict[str, Callable[[Identity], object]] = {
    "cancel of a job that has ended": lambda by: jobs.cancel(by, ended()),
    "cancel of a job that is being canceled": lambda by: jobs.cancel(by, made(state=JobState.CANCELING)),
    "release of a job that is not held": lambda by: jobs.release(by, made()),
    "drain of a job that drains": lambda by: jobs.drain(by, made(intent=Intent.DRAIN)),
    "suspend of a job that has ended": lambda by: jobs.suspend(by, ended()),
    "resume of a job that is not suspended": lambda by: jobs.resume(by, made()),
    "a token that there is not": lambda by: people.delete_token(by, 0),
    "a user who stays as he is": lambda by: people.change_user(by, person(), Role.VIEWER, []),
    "a scheduler that stays as it is": nodes.change_scheduler,
}
#: What is refused.
REFUSED: dict[str, Callable[[Identity], object]] = {
    "drain of a job that is being canceled": lambda by: jobs.drain(by, made(state=JobState.CANCELING)),
    "suspend of a job that drains": lambda by: jobs.suspend(by, made(intent=Intent.DRAIN)),
    "retry of a job that finished": lambda by: admission.retry(by, ended(JobState.FINISHED), admission.id_alone),
    "delete of a job with a savepoint": lambda by: jobs.delete(by, saved()[0]),
    "savepoint of a job that does not run": lambda by: checkpoints.save(by, made()),
    "delete of a job that is live": lambda by: jobs.delete(by, made()),
    "delete of a node with a session": lambda by: nodes.delete(by, node(session="s")),
    "shut-down from afar": shut_down,
}


@pytest.fixture
def by(settings: Settings, transactional_db: None, broker: Any) -> Identity:
    return Identity(user_in(Role.ADMIN), Role.ADMIN, "token")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_change_writes_one_row(by: Identity, settings: Settings, name: str) -> None:
    settings.SHUTDOWN_COMMAND = "true"
    COMMANDS[name](by)
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.user_id, entry.via) == (declared()[name], by.user and by.user.pk, "token")


@pytest.mark.parametrize("name", IDLE)
def test_what_changes_nothing_writes_none(by: Identity, name: str) -> None:
    IDLE[name](by)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_writes_none(by: Identity, settings: Settings, name: str) -> None:
    settings.SHUTDOWN_COMMAND = ""
    with pytest.raises(SwitchyardError):
        REFUSED[name](by)
    assert not AuditEntry.objects.exists()


def test_a_change_whose_row_cannot_be_written_is_not_made(by: Identity) -> None:
    broken = Identity(by.user, by.role, "x" * 1000)  # type: ignore[arg-type]
    id_ = made()
    with pytest.raises(Exception, match="too long"):
        jobs.cancel(broken, id_)
    assert Job.objects.get(id=id_).state == JobState.CREATED


def test_every_command_is_tried_here() -> None:
    assert COMMANDS.keys() == declared().keys()


def test_nothing_else_writes_into_the_audit() -> None:
    writers = {path for path, tree in trees() if any(_is_record(each) for each in ast.walk(tree))}
    assert writers == {"access.commands", "jobs.commands.admission"}


def declared() -> dict[str, str]:
    """Return the action of each command by its name."""
    return ADMISSION | {
        f"{path}.{function.name}": str(decorator.args[0].value)  # type: ignore[attr-defined]
        for path, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "command"
    }


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text())


def _is_record(node: ast.AST) -> bool:
    """Return whether this calls audit.record."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "record" and getattr(node.func.value, "id", "") == "audit"
