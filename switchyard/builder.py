"""Build a job by Python code instead of a file.

The fields are those of a job description (docs/job-description.md), with three things that only code can say: a stage
as an object, a callable as itself, and local files by their paths.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any, TypedDict, Unpack

from switchyard import packing, typed_functions
from switchyard.client import Client
from switchyard.descriptions import checked
from switchyard.errors import Unpackable
from switchyard.programs import calling
from switchyard.submitted import Submitted

#: Parts of the paths of what is installed.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


class JobFields(TypedDict, total=False):
    """What a job may say apart from its name and stages."""

    type: str | Mapping[str, str]
    priority: int
    pool: str
    owner: str
    labels: Mapping[str, str]
    constraints: Mapping[str, str | Sequence[str]] | Sequence[Mapping[str, Any]]
    timeouts: Mapping[str, float]
    max_failures: int
    retry: Mapping[str, Any]
    checkpoint: Mapping[str, Any]
    disconnect_grace: float
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a job, to be needed by others: all its results by all their tasks, unless pointwise."""

    name: str
    exchange: str = "all"

    @property
    def pointwise(self) -> "Stage":
        """The same stage, needed task by task: each gets the results of its own share."""
        return Stage(self.name, "pointwise")


class StageFields(TypedDict, total=False):
    """What a stage may say apart from its name."""

    command: str | Sequence[str]
    shell: bool
    python: str | Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    interpreter: str
    environment: Mapping[str, Any]
    files: Sequence[str | Path] | Mapping[str, str | Path | Mapping[str, Any]]
    program: Mapping[str, Any]
    outputs: Mapping[str, str]
    env: Mapping[str, str]
    parallelism: int
    foreach: Stage | Sequence[Any]
    resources: Mapping[str, int | float | str]
    gang: bool
    needs: Sequence[Stage | str]
    timeout: float
    grace: float


class Job:
    """A job that is being described; `submit` hands it in."""

    def __init__(self, name: str, **fields: Unpack[JobFields]) -> None:
        self._fields: dict[str, Any] = packing.with_lock({"name": name, **fields}, Path.cwd())
        self._stages: list[dict[str, Any]] = []

    def stage(self, name: str, **fields: Unpack[StageFields]) -> Stage:
        """Add a stage and return it, for others to need.

        A callable is packed with the file of its module, or with all files of its package if that is not installed;
        local files and folders are packed with what they hold and whether they are executable. Relative paths start at
        the working directory. Raises Unpackable.
        """
        self._stages.append({"name": name, **_written(fields)})
        return Stage(name)

    def description(self) -> dict[str, Any]:
        """Return the description as plain JSON; raise InvalidSpec with all that is wrong with it."""
        return checked(_plain({**self._fields, "stages": self._stages}))

    def submit(
        self,
        client: Client | None = None,
        *,
        idempotency_key: str | None = None,
        savepoint: str | None = None,
        allow_non_restored: bool = False,
    ) -> Submitted:
        """Submit the job, to the server that the environment names if no client is given; see Client.submit."""
        client = client or Client()
        how: dict[str, Any] = {"savepoint": savepoint, "allow_non_restored": allow_non_restored}
        return Submitted(client, client.submit(self.description(), idempotency_key=idempotency_key, **how))


def _written(fields: StageFields) -> dict[str, Any]:
    stage = packing.with_lock(dict(fields), Path.cwd())
    if "files" in stage:
        stage["files"] = packing.texts(stage["files"], Path.cwd())
    if callable(stage.get("python")):
        stage["python"], packed = _callable(stage["python"])
        if files := packed | stage.get("files", {}):
            stage["files"] = files
    if isinstance(stage.get("foreach"), Stage):
        stage["foreach"] = {"from": stage["foreach"].name}
    if "needs" in stage:
        stage["needs"] = [_need(each) for each in stage["needs"]]
    return stage


def _need(need: Stage | str) -> str | dict[str, str]:
    if isinstance(need, str):
        return need
    return {"stage": need.name, "exchange": need.exchange}


def _callable(function: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    """Name a function as workers will find it, and pack the file that it is in."""
    name = getattr(function, "__qualname__", "")
    home = sys.modules.get(getattr(function, "__module__", ""))
    file = getattr(home, "__file__", None) or ""
    if file.startswith("<"):
        file = ""  # standard input
    if not inspect.isfunction(function) or "<" in name or not (file or home is sys.modules["__main__"]):
        raise Unpackable(f"python: {function!r:.80} is not a function of a module's file; name it as 'module:function'")
    if _comes_along(file):
        return f"{function.__module__}:{name}", {}
    if not file:
        return f"{typed_functions.MODULE}:{name}", {f"{typed_functions.MODULE}.py": typed_functions.source(function)}
    module = _importable(Path(file).stem) if function.__module__ == "__main__" else function.__module__
    if "." in module:
        return f"{module}:{name}", _package(module, name)
    return f"{module}:{name}", packing.texts({f"{module}.py": Path(file)}, Path.cwd())


def _comes_along(file: str) -> bool:
    """Return whether a file is part of the program whose function describes the job."""
    return calling.folder is not None and Path(file).resolve().is_relative_to(calling.folder)


def _package(module: str, name: str) -> dict[str, Any]:
    """Pack all files of the package that a module is part of, unless it is installed."""
    package = sys.modules[module.partition(".")[0]]
    found = getattr(package, "__file__", None)
    folder = Path(found).parent if found else None
    if folder is None or package.__name__ == "switchyard" or _INSTALLED & set(folder.parts):
        raise Unpackable(
            f"python: {module} is part of an installed package, which is not packed; name the function as "
            f"'{module}:{name}', and the package in the stage's environment if nodes do not have it"
        )
    files: dict[str, Any] = packing.texts({package.__name__: folder}, Path.cwd())
    return files


def _importable(module: str) -> str:
    """Return the name by which workers import a file whose own is none of Python's, as those of run-etl.py and 01_load.py."""
    name = re.sub(r"\W", "_", module)
    return name if name.isidentifier() and not iskeyword(name) else f"_{name}"


def _plain(value: Any) -> Any:
    """Return tuples and other sequences and mappings as JSON's own."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(each) for each in value]
    return value
