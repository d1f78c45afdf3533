"""Programs: keep what users upload, and make jobs of it."""

import json
import shlex
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from django.conf import settings
from pydantic import TypeAdapter, ValidationError

from access.commands import Done, command
from access.identifying import Identity
from artifacts import references, storing
from artifacts.kinds import Kind
from database import rows
from jobs.commands import admission
from jobs.commands.restoring import Restore
from jobs.models import Program
from switchyard.programs import manifest
from switchyard.programs.archive import PIECE, SUFFIXES, Bounds
from switchyard.programs.errors import BadArchive, BadEntry, NotAnArchive
from switchyard.programs.inspecting import JAR, Inspected, inspect
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.spec import JobSpec, Limits, from_data
from switchyard.scheduling.spec.fields import FileName

T = TypeVar("T")
#: The label of the nodes that have Java.
JAVA = "java"
_NAMES: TypeAdapter[str] = TypeAdapter(FileName)


class NoSuchProgram(SwitchyardError):
    """There is no such program."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be run of a program: an entry point (the first one if none is named), its arguments, its parallelism."""

    entry: str | None = None
    arguments: Sequence[str] = ()
    parallelism: int | None = None


def upload(by: Identity, name: str, file: IO[bytes], digest: str, size: int, *, lenient: bool = False) -> Program:
    """Keep an archive; raises BadArchive. With `lenient`, one that is no archive is kept too, and cannot be run."""
    _require_name(name)
    try:
        found, fault = inspect(file, name, _bounds()), ""
    except NotAnArchive as error:
        if not lenient:
            raise
        found, fault = Inspected(), str(error)
    file.seek(0)
    storing.store(digest, _pieces(file))
    values = {"name": name, "digest": digest, "size": size, "manifest": found.manifest, "main_class": found.main_class}
    return _keep(by, **values, classes="\n".join(found.classes), fault=fault)


@command("program.upload")
def _keep(by: Identity, /, **values: Any) -> Done[Program]:
    ((number, now),) = rows.fetch("SELECT nextval('jobs_program_number'), now()")
    kept = Program.objects.create(id=uuid.uuid4(), number=number, uploaded_by=by.name, uploaded_at=now, **values)
    references.refer(Kind.PROGRAM, [(kept.id, kept.digest)])
    return Done(kept, kept.id, {"name": kept.name, "digest": kept.digest})


@command("program.delete")
def delete(by: Identity, id_: uuid.UUID) -> Done[None]:
    """Forget a program; jobs that were made of it keep its archive as long as they are there."""
    found = Program.objects.select_for_update().filter(id=id_).first()
    if found is None:
        raise NoSuchProgram(f"There is no program {id_}.")
    found.delete()
    references.release(Kind.PROGRAM, [id_])
    return Done(None, id_, {"name": found.name})


def run(
    by: Identity,
    program: Program,
    call: Call,
    show: admission.Show[T],
    *,
    key: str | None = None,
    restore: Restore | None = None,
) -> admission.Admitted[T]:
    """Submit the job that a program describes; raises BadEntry, and what `admission.submit` raises."""
    return admission.submit(by, json.dumps(described(program, call)), show, format="json", key=key, restore=restore)


def plan(program: Program, call: Call) -> JobSpec:
    """Return the job that would be submitted; raises BadEntry or InvalidSpec."""
    return from_data(described(program, call), limits=Limits(**settings.DESCRIPTION_LIMITS))


def function(program: Program, call: Call) -> str | None:
    """Return the function `module:function` that an entry point is, which an agent calls (jobs.commands.planning).

    None: the entry point is described in the archive. Raises BadEntry.
    """
    entries, wanted = _wanted(program, call)
    if wanted in entries:
        return entries[wanted].function
    return manifest.checked_function(wanted) if ":" in wanted else None


def described(program: Program, call: Call) -> dict[str, Any]:
    """Return the description of the job that a program would make; raises BadEntry."""
    entries, wanted = _wanted(program, call)
    if called := function(program, call):
        raise BadEntry(f"{called} is a function, which an agent calls: ask for its plan, and look at the operation.")
    if wanted in entries:
        return with_program(
            manifest.described(entries[wanted], call.arguments, call.parallelism), program.digest, program.name
        )
    if program.name.endswith(JAR) and (main := _class(program, wanted)):
        return _java(program, main, call)
    known = ", ".join([program.main_class] * bool(program.main_class) + list(entries)) or "none"
    raise BadEntry(f"{program.name} has no entry point {wanted!r:.100}; it has {known}. A function is named module:function.")


def with_program(job: dict[str, Any], digest: str, name: str) -> dict[str, Any]:
    """Give a program to the stages of a job that name none; what is no description at all is refused later."""
    if not isinstance(job.get("stages"), list):
        return job
    kept = {"program": {"digest": digest, "name": name}}
    return {**job, "stages": [kept | each if isinstance(each, dict) else each for each in job["stages"]]}


def _wanted(program: Program, call: Call) -> tuple[dict[str, manifest.Entry], str]:
    """Return the entry points of `switchyard.yaml`, and the name of the one that is wanted; raises BadEntry."""
    if program.fault:
        raise BadEntry(f"{program.name} cannot be run: {program.fault}")
    if call.parallelism is not None and call.parallelism < 1:
        raise BadEntry("The parallelism must be 1 or more.")
    entries = manifest.parse(program.manifest) if program.manifest else {}
    return entries, call.entry or program.main_class or next(iter(entries), "")


def arguments(text: str) -> list[str]:
    """Part a line of arguments as a shell does; raises BadEntry."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadEntry(f"The arguments cannot be read: {error}.") from error


def _java(program: Program, main: str, call: Call) -> dict[str, Any]:
    stage = {
        "name": "main",
        "command": ["java", "-cp", program.name, main, *call.arguments],
        "program": {"digest": program.digest, "name": program.name, "unpacked": False},
        "parallelism": call.parallelism or 1,
    }
    return {"name": main, "constraints": [{"label": JAVA, "op": "exists"}], "stages": [stage]}


def _class(program: Program, wanted: str) -> str:
    """Return the name of a class of a jar, however it is written; empty if there is none."""
    classes = set(program.classes.split("\n"))
    return next((name for name in (wanted, wanted.removesuffix(".class")) if name and name in classes), "")


def _require_name(name: str) -> None:
    try:
        _NAMES.validate_python(name)
    except ValidationError as error:
        raise BadArchive(
            f"{name[:60]!r} is no name of a program: letters, digits, spaces and _ . + - are accepted, up to 200."
        ) from error
    if not name.endswith(SUFFIXES):
        raise BadArchive(f"{name[-60:]!r} is no name of a program: it must end with one of {', '.join(SUFFIXES)}.")


def _bounds() -> Bounds:
    return Bounds(members=settings.PROGRAM_FILES, bytes=settings.PROGRAM_BYTES)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
