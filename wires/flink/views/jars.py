"""Programs, which Flink calls jars: list, upload, delete, plan, run."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote
from uuid import UUID, uuid5

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from access import uploads
from access.roles import Role
from access.rules import Rule
from jobs.commands import admission, planning, programs
from jobs.commands.checkpoints import NoSuchSavepoint
from jobs.commands.restoring import Restore
from jobs.reading import programs as reading
from switchyard.scheduling.lifecycle.operations import Kind
from wires.flink import decode, functions, ids
from wires.flink.encode import jars, plans
from wires.flink.views.base import FlinkView
from wires.flink.views.manager import absolute
from wires.reading import Unreadable

NAMESPACE = UUID(int=0)
JAR = ".jar"


class JarsView(FlinkView):
    """The programs."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them, newest first."""
        found = [reading.shown(each) for each in reading.programs()[: jars.MOST]]
        return self.told(jars.listed(absolute(request, "").rstrip("/"), found))


class JarUploadView(FlinkView):
    """The upload of a program."""

    rules: ClassVar[Mapping[str, Rule]] = {"post": Role.OPERATOR}
    streamed: ClassVar[Mapping[str, str]] = {"post": "LARGEST_PROGRAM"}

    def post(self, request: HttpRequest) -> HttpResponse:
        """Keep the one file of a form; what is no archive is kept, too, and cannot be run."""
        with uploads.receive(request, settings.LARGEST_PROGRAM) as upload:
            if not upload.name.endswith(JAR):
                raise Unreadable("Only Jar files are allowed.")
            digest = upload.digest.hexdigest()
            kept = programs.upload(self.sender, upload.name, upload.file, digest, upload.size, lenient=True)
        return self.told({"filename": jars.path(kept.id, kept.name), "status": "success"})


class JarView(FlinkView):
    """A program."""

    rules: ClassVar[Mapping[str, Rule]] = {"delete": Role.OPERATOR}

    def delete(self, request: HttpRequest, jar: str) -> HttpResponse:
        """Forget it; jobs that were made of it go on."""
        programs.delete(self.sender, _found(jar).id)
        return self.told({})


class JarPlanView(FlinkView):
    """The graph of the job that a program would make."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER, "post": Role.VIEWER}

    def get(self, request: HttpRequest, jar: str) -> HttpResponse:
        """Return it; no job of it is submitted. A function is called on an agent for it, if an operator asks."""
        call = _call(self, "JarPlanRequestBody")
        found = _found(jar)
        if function := programs.function(found, call):
            made = functions.outcome(self.sender, found, function, call, Kind.PLAN, _key(request))
            spec = planning.checked(made["description"])
        else:
            spec = programs.plan(found, call)
        job = str(uuid5(NAMESPACE, f"{found.id} {spec.name}"))
        return self.told({"plan": plans.plan(job, spec.name, reading.plans(spec))}, lambda new: dict(new["plan"]))

    post = get

    def _reads(self) -> bool:
        """Return whether this changes nothing: to call a function a job is made, whose end is waited for."""
        return False


class JarRunView(FlinkView):
    """The start of a program."""

    rules: ClassVar[Mapping[str, Rule]] = {"post": Role.OPERATOR}

    def post(self, request: HttpRequest, jar: str) -> HttpResponse:
        """Submit the job of an entry point; what stands in the query and in the body is taken from the body."""
        call, restore = _call(self, "JarRunRequestBody"), _restore(self)
        found = _found(jar)
        if function := programs.function(found, call):
            if restore:
                raise Unreadable("A function of a program starts its job from no savepoint; submit its plan with one.")
            made = UUID(functions.outcome(self.sender, found, function, call, Kind.RUN, _key(request))["id"])
        else:
            made = self._run(found, call, restore)
        return self.told({"jobid": ids.job_id(made)})

    def _run(self, found: Any, call: programs.Call, restore: Restore | None) -> UUID:
        key = _key(self.request)
        try:
            return programs.run(self.sender, found, call, admission.id_alone, key=key, restore=restore).shown
        except NoSuchSavepoint as error:
            raise Unreadable(str(error)) from error


def _restore(view: FlinkView) -> Restore | None:
    asked = decode.jar_call(view.request.GET, view.body(), "JarRunRequestBody")
    return Restore(asked.savepoint, asked.lenient) if asked.savepoint else None


def _key(request: HttpRequest) -> str | None:
    return request.headers.get("Idempotency-Key")


def _found(given: str) -> Any:
    """Return the program that a path names: by its id, or the newest of a name; raises Unreadable as Flink does."""
    found = reading.program(unquote(given))
    if found is None:
        raise Unreadable(f"Jar file {given:.200} does not exist")
    return found


def _call(view: FlinkView, expected: str) -> programs.Call:
    """Return what is to be run, from the query and the body; raises Unreadable or BadEntry."""
    asked = decode.jar_call(view.request.GET, view.body(), expected)
    arguments = list(asked.arguments) if asked.arguments is not None else programs.arguments(asked.text)
    return programs.Call(asked.entry or None, arguments, asked.parallelism)
