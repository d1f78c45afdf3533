"""Columns of attempts: all are declared, and each is archived, reset, reused and shown as it is declared."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, models

from artifacts.storage import Storage
from database import rows
from jobs.api.serializers import RecordSerializer, TaskInFullSerializer
from jobs.commands import retry
from jobs.models import Attempt, Job, Stage, Task
from jobs.reading import tasks as reading
from jobs.store import tasks as store
from jobs.store.columns import declared
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.spec.editing import NO_EDIT
from switchyard.simulation.memory.jobs import COPIED
from switchyard.simulation.memory.tasks import BLANK
from tests.holding import put

pytestmark = pytest.mark.django_db
Submit = Callable[..., Job]
#: Columns that are of a task or of a row, and not of an attempt.
OF_TASK = {"stage_id", "index", "state", "failures", "losses", "not_before"}
OF_ROW = {"id", "stage_id", "index", "state"}
#: What an attempt has if nothing is recorded of it.
FRESH = {"attempt": 1} | dict.fromkeys(set(declared(Task)) - {"attempt"})


def columns(model: type[models.Model]) -> set[str]:
    with connection.cursor() as cursor:
        return {column.name for column in connection.introspection.get_table_description(cursor, model._meta.db_table)}


def example(field: "models.Field[Any, Any]") -> Any:
    if isinstance(field, models.IntegerField):
        return 0 if field.column == "attempt" else 7
    if isinstance(field, models.DateTimeField):
        return datetime(2020, 1, 1, tzinfo=UTC)
    if field.column == "files":
        return [["model", "model.bin", "f" * 64, 5, False]]
    return {"a": 1} if isinstance(field, models.JSONField) else "text"


FULL = {field.column: example(field) for field in Task._meta.concrete_fields if field.column in declared(Task)}


def recorded(task: Task | Attempt) -> dict[str, Any]:
    return {name: getattr(task, name) for name in declared(type(task))}


@pytest.fixture
def stage(job: Submit) -> Stage:
    """Give a stage of one task, with something in each column of its attempt."""
    made = Stage.objects.get(job=job({"a": {}}))
    Task.objects.update(**FULL)
    return made


def test_each_column_of_the_tables_is_declared() -> None:
    assert columns(Task) == {*declared(Task), *OF_TASK}
    assert columns(Attempt) == {*declared(Attempt), *OF_ROW}


def test_memory_resets_the_same_columns() -> None:
    assert {"node_id" if name == "node" else name for name in BLANK} == set(FRESH) - {"attempt"}


def test_memory_reuses_the_same_columns() -> None:
    named = {"node_id" if name == "node" else name for name in COPIED}
    assert named == {name for name, how in declared(Task).items() if how.reused}


@pytest.mark.parametrize("anew", [lambda id_: store.archive(id_, IndexSet.span(0, 1)), store.renew], ids=["one", "gang"])
def test_an_attempt_that_is_over_is_kept_and_the_next_begins_without(stage: Stage, anew: Callable[[int], None]) -> None:
    anew(stage.id)
    old = Attempt.objects.get()
    assert recorded(old) == {name: FULL[name] for name in declared(Attempt)}
    assert recorded(Task.objects.get()) == FRESH


def test_a_retried_job_takes_along_what_is_declared_to_be_reused(stage: Stage, job: Submit, kept: Storage) -> None:
    digest = put(b"5")
    stored = {"result_digest": digest, "files": [["model", "model.bin", digest, 1, False]]}
    Task.objects.update(state=TaskState.FINISHED, **stored)
    rows.execute("UPDATE jobs_stage SET counts[%s] = 1, counts[%s] = 0", [TaskState.FINISHED + 1, TaskState.CREATED + 1])
    again = job({"a": {}})
    Job.objects.filter(id=stage.job_id).update(state=JobState.FAILED)
    retry.reuse(retry.consider(Job.objects.get(id=stage.job_id), NO_EDIT), again.id)
    reused = {name: FULL[name] for name, how in declared(Task).items() if how.reused} | stored
    assert recorded(Task.objects.get(stage__job=again)) == FRESH | {"attempt": 0} | reused


def test_what_is_shown_is_what_the_interface_describes(stage: Stage) -> None:
    store.renew(stage.id)
    [listed] = reading.tasks([stage.id], limit=1)
    whole = reading.task(stage.id, 0)
    assert whole is not None
    assert set(whole) == {*TaskInFullSerializer().fields, "stage_id"} - {"stage"}
    assert set(listed) == set(whole) - {"attempts", "result", "result_digest", "reused_from", "files"}
    shown = {name: FULL[name] for name, how in declared(Attempt).items() if how.shown}
    old, current = whole["attempts"]
    assert {name: old[name] for name in shown} == shown
    assert set(current) == set(RecordSerializer().fields)
