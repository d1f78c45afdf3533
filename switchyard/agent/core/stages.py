"""Stages of the agent: their descriptions, and the inputs of their tasks, which grow while the stage runs.

What a task is given is known task by task: a result, or the server's word that there will be none. Silence says nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from switchyard.agent.core.records import LEFT_OUT, NO_RESULT
from switchyard.messaging.messages import SHORT_SPEC
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import shares

#: [stage name, None for an item of foreach, or STATE; index; JSON text, NO_RESULT, LEFT_OUT, or STORED with a path]
Given = tuple[str | None, int, str]
#: Stands for the name of a stage where the state is given that a task goes on from.
STATE = ""
TOLD_OF_INPUTS = ("name", "parallelism", "exchange", "stage")
SHELL = "/bin/sh"
#: Seconds that a task has between TERM and KILL if its stage says nothing.
GRACE = 10.0


@dataclass(slots=True)
class Stage:
    """A stage with tasks on the list.

    `wanted` counts what is being fetched of its description, files and items. `refused` are what fetches again that which was
    not to be had. `known` are the tasks of each producer whose outcome is here. `asking` says whether inputs are being
    fetched. `home` is the folder of its environment, once that is built; `building` says what is done for that. `build` is
    what its first tasks tell of it, or how they end without it; `builds` counts those that failed.
    """

    id: int
    described: Mapping[str, Any]
    wanted: int = 0
    refused: list[Callable[[], None]] = field(default_factory=list)
    files: str | None = None
    asking: bool = False
    home: str = ""
    building: str = ""
    build: dict[str, Any] | None = None
    builds: int = 0
    known: dict[int, IndexSet] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    items: IndexSet = field(default_factory=IndexSet)
    #: The states that tasks go on from, by index (agent.worker.states.Kept).
    restored: dict[int, Sequence[Any]] = field(default_factory=dict)
    #: Seconds that its last task took; 0 while unknown.
    pace: float = 0.0
    _names: dict[int, str] = field(default_factory=dict)
    _told: tuple[int, int, bytes] = (0, 0, b"")
    _digest: str = ""

    def __post_init__(self) -> None:
        self._read()

    def complete(self, described: Mapping[str, Any]) -> None:
        """Take the description that was left out before."""
        self.described = described
        self._read()

    def shorten(self) -> None:
        """Keep of the description what a message tells of a long one: it is fetched again if need be."""
        spec = {name: self.spec.get(name) for name in SHORT_SPEC}
        self.described = {**self.described, "left_out": True, "spec": spec}
        self._told = (0, 0, b"")

    def _read(self) -> None:
        self._names = {item["stage"]: item["name"] for item in self.described["inputs"]}
        self.known = {producer: self.known.get(producer, IndexSet()) for producer in self._names}
        for item in self.described["inputs"]:
            self.take(item["stage"], item)
        self.give_items(self.described.get("items") or {})

    @property
    def restored_from(self) -> bool:
        """Say whether first attempts go on from states, too: those of a savepoint from which the job started."""
        return bool(self.described.get("restored"))

    @property
    def left_out(self) -> bool:
        """Say whether its description, too long for a message, is not here yet."""
        return bool(self.described.get("left_out"))

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.described["spec"]
        return spec

    @property
    def timeout(self) -> float | None:
        return self.spec.get("timeout")

    @property
    def grace(self) -> float:
        grace: float = self.spec.get("grace", GRACE)
        return grace

    @property
    def patience(self) -> float:
        """For how many seconds its job waits for a silent node, where it says so."""
        return float(self.described.get("disconnect_grace") or 0)

    @property
    def interpreter(self) -> str:
        if not self.spec.get("python"):
            return ""
        return f"{self.home}/bin/python" if self.home else self.spec.get("interpreter") or ""

    @property
    def environment(self) -> Mapping[str, Any] | None:
        """What its environment is made of, if it has one."""
        return self.spec.get("environment")

    @property
    def digest(self) -> str:
        """What tells its environment from others."""
        if not self._digest:
            self._digest = sha256(json.dumps(self.environment, sort_keys=True).encode()).hexdigest()
        return self._digest

    @property
    def failed(self) -> bool:
        """Whether its environment could not be built, which its next task tells."""
        return bool(self.build and "failure" in self.build)

    @property
    def is_built(self) -> bool:
        """Whether its tasks have the environment that they need, or can tell why there is none."""
        return bool(self.home) or self.failed or not self.environment

    def have_environment(self, home: str, log: str) -> None:
        """Take the environment; what its build wrote goes into the log of a task."""
        self.home = home
        self._build_is({"log": log} if log else None)

    def fail_build(self, log: str, failure: Mapping[str, Any]) -> None:
        """Take how tasks end as there is no environment."""
        self.builds += 1
        self._build_is({"log": log, "failure": failure})

    def forget_build(self) -> None:
        """Have the environment built anew for the next task."""
        self.home = ""
        self._build_is(None)

    def have_told(self) -> None:
        """Note that a task has told of the build: others need not."""
        if self.failed:
            self.forget_build()
        elif self.build:
            self._build_is(None)

    def _build_is(self, build: dict[str, Any] | None) -> None:
        self.build = build
        self._told = (0, 0, b"")

    @property
    def needs_files(self) -> bool:
        """Whether tasks of stages that it needs hand on files."""
        return any(item.get("files") for item in self.described["inputs"])

    @property
    def lacking(self) -> str:
        """What is done for its tasks beside those before them, while they wait for it; empty if nothing."""
        if self.left_out:
            return "fetches its description"
        if self.wanted:
            return "fetches its files or items"
        if self.asking and not self.building:
            return "fetches its inputs and their files" if self.needs_files else "fetches its inputs"
        return self.building

    @property
    def version(self) -> int:
        """How much its tasks are given."""
        return len(self.given)

    def key(self, devices: str | None) -> tuple[Any, ...]:
        """Return what its workers must have in common; the last is the folder of their environment, if any."""
        if self.failed:
            return ("unbuilt", self.id, self.builds, self.patience, "")
        if not self.spec.get("python"):
            return ("command", devices, self.patience, self.home)
        env = tuple(sorted(self.spec.get("env", {}).items()))
        return ("python", devices, self.interpreter, self.spec.get("files_digest"), env, self.patience, self.home)

    def env(self, devices: str | None) -> dict[str, str]:
        """Return the environment of its workers, beside what all have."""
        env = dict(self.spec.get("env", {})) if self.spec.get("python") else {}
        return env if devices is None else {**env, "CUDA_VISIBLE_DEVICES": devices}

    def give(self, producer: int, results: Iterable[tuple[int, str]]) -> None:
        """Take results of a stage that this one needs; what is known already changes nothing."""
        known, name = self.known[producer], self._names[producer]
        new = {index: text for index, text in results if index not in known}
        if new:
            self.given.extend((name, index, text) for index, text in new.items())
            self.known[producer] = known | IndexSet.from_indexes(new)

    def take(self, producer: int, outcomes: Mapping[str, Any]) -> None:
        """Take what the server says of a stage that this one needs: `given` results, `failed` and `left_out` tasks."""
        self.give(producer, outcomes["given"])
        for kind, word in (("failed", NO_RESULT), ("left_out", LEFT_OUT)):
            tasks = IndexSet.of(outcomes.get(kind, ())) - self.known[producer]
            self.give(producer, ((index, word) for index in tasks))

    def give_up_files(self) -> None:
        """Forget what stages have given that hand on files, so that it is asked for again, with the files."""
        for item in self.described["inputs"]:
            if item.get("files"):
                self.known[item["stage"]] = IndexSet()

    def lacks(self, tasks: IndexSet) -> dict[int, IndexSet]:
        """Return what these tasks need and is not known, by producer."""
        lacking = {}
        for item in self.described["inputs"]:
            producer, size = item["stage"], item["parallelism"]
            needed = IndexSet.span(0, size)
            if item.get("exchange") == "pointwise":
                needed = shares(tasks, size, self.described["parallelism"])
            if left := needed - self.known[producer]:
                lacking[producer] = left
        return lacking

    def give_items(self, items: Mapping[Any, Any]) -> None:
        """Take items of foreach by index."""
        new = {int(index): item for index, item in items.items() if int(index) not in self.items}
        if not new:
            return
        self.given.extend((None, index, json.dumps(item)) for index, item in new.items())
        self.items |= IndexSet.from_indexes(new)

    def give_states(self, states: Mapping[int, Sequence[Any]]) -> None:
        """Take the states that tasks go on from, by index; a later one replaces an earlier one."""
        self.restored |= states
        self.given.extend((STATE, index, json.dumps(kept)) for index, kept in states.items())

    def describe(self, since: int | None) -> bytes:
        """Return the line that tells a worker of this stage: all of it, or what it is given since a version."""
        start, version, line = self._told
        if (start, version) != (-1 if since is None else since, self.version) or not line:
            told = {"id": self.id, "given": self.given[since or 0 :]}
            if since is None:
                told |= self._nature()
            line = json.dumps(told).encode() + b"\n"
            self._told = (-1 if since is None else since, self.version, line)
        return line

    def _nature(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "parallelism": self.described["parallelism"],
            "python": spec.get("python"),
            "args": spec.get("args", []),
            "kwargs": spec.get("kwargs", {}),
            "foreach": spec.get("foreach") is not None,
            "disk": spec.get("resources", {}).get("disk", 0),
            "inputs": [[item.get(name) for name in TOLD_OF_INPUTS] for item in self.described["inputs"]],
            "argv": _argv(spec.get("command")),
            "files": self.files,
            "environment": self.home,
            "build": self.build,
            "config": self.described.get("config") or {},
            "outputs": spec.get("outputs") or {},
            "largest_file": self.described.get("largest_file", 0),
            "file_inputs": {item["name"]: item["files"] for item in self.described["inputs"] if item.get("files")},
            "env": {
                **spec.get("env", {}),
                "SWITCHYARD_JOB": str(self.described.get("job", "")),
                "SWITCHYARD_STAGE": str(self.described.get("name", "")),
                "SWITCHYARD_PARALLELISM": str(self.described["parallelism"]),
            },
        }


def _argv(command: str | list[str] | None) -> list[str] | None:
    return [SHELL, "-c", command] if isinstance(command, str) else command
