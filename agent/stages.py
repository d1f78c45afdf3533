"""Stages as the agent knows them: how a stage is run, and what its tasks are given, which grows while it runs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduling.indexes import IndexSet

#: [stage name, or None for an item of foreach; index; JSON text, or None for a task that never will have one]
Given = tuple[str | None, int, str | None]
TOLD_OF_INPUTS = ("name", "parallelism", "exchange", "stage")
SHELL = "/bin/sh"
#: Seconds that a task has between TERM and KILL if its stage says nothing.
GRACE = 10.0


@dataclass(slots=True)
class Stage:
    """A stage with tasks on the list.

    `wanted` counts what is being fetched for it; if some of it is not to be had, it is `unreachable`. `known` are the
    tasks of each producer whose results are here, `absent` those that have none.
    """

    id: int
    described: Mapping[str, Any]
    wanted: int = 0
    unreachable: bool = False
    files: str | None = None
    known: dict[int, IndexSet] = field(default_factory=dict)
    absent: dict[int, IndexSet] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    items: IndexSet = field(default_factory=IndexSet)
    #: Seconds that its last task took; 0 while unknown.
    pace: float = 0.0
    _names: dict[int, str] = field(default_factory=dict)
    _told: tuple[int, int, bytes] = (0, 0, b"")

    def __post_init__(self) -> None:
        self._names = {item["stage"]: item["name"] for item in self.described["inputs"]}
        self.known = {producer: IndexSet() for producer in self._names}
        for item in self.described["inputs"]:
            self.give(item["stage"], item["known"])
            if item.get("skipped"):
                self.skip(item["stage"], IndexSet.of(item["skipped"]))
        self.give_items(self.described.get("items") or {})

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
        return self.spec.get("interpreter") or "" if self.spec.get("python") else ""

    @property
    def partial(self) -> bool:
        """Say whether some of its inputs were there when it was described, but too long to be told."""
        return any(item.get("fetch") for item in self.described["inputs"])

    @property
    def version(self) -> int:
        """How much its tasks are given."""
        return len(self.given)

    def key(self, devices: str | None) -> tuple[Any, ...]:
        """Return what its workers must have in common."""
        if not self.spec.get("python"):
            return ("command", devices, self.patience)
        env = tuple(sorted(self.spec.get("env", {}).items()))
        return ("python", devices, self.interpreter, self.spec.get("files_digest"), env, self.patience)

    def env(self, devices: str | None) -> dict[str, str]:
        """Return the environment of its workers, beside what all have."""
        env = dict(self.spec.get("env", {})) if self.spec.get("python") else {}
        return env if devices is None else {**env, "CUDA_VISIBLE_DEVICES": devices}

    def give(self, producer: int, results: Iterable[tuple[int, str | None]]) -> None:
        """Take results of a stage that this one needs; what is known already changes nothing."""
        known, name = self.known[producer], self._names[producer]
        new = {index: text for index, text in results if text is not None and index not in known}
        if new:
            self.given.extend((name, index, text) for index, text in new.items())
            self.known[producer] = known | IndexSet.from_indexes(new)

    def skip(self, producer: int, tasks: IndexSet) -> None:
        """Note tasks of a stage that this one needs which will never begin: they are left out of what its tasks are given."""
        new = tasks - self.known[producer]
        self.given.extend((self._names[producer], index, None) for index in new)
        self.known[producer] |= new

    def lacks(self, indexes: IndexSet, after: Mapping[int, IndexSet]) -> bool:
        """Say whether tasks need results that are neither here nor to come from tasks on the list."""
        for item in self.described["inputs"]:
            producer, size = item["stage"], item["parallelism"]
            needed = IndexSet.span(0, size)
            if item.get("exchange") == "pointwise":
                needed = _overlapping(indexes, size, self.described["parallelism"])
            if after.get(producer) == needed:
                continue
            here = self.known[producer] | self.absent.get(producer, IndexSet())
            if needed - here - after.get(producer, IndexSet()):
                return True
        return False

    def fetched(self, inputs: Mapping[int, list[str | None]], awaited: Mapping[int, IndexSet]) -> None:
        """Take all that the server knows of the inputs; what it does not know is absent, unless it is awaited."""
        for producer, texts in inputs.items():
            if producer in self.known:
                self.give(producer, enumerate(texts))
                none = IndexSet.from_indexes(index for index, text in enumerate(texts) if text is None)
                self.absent[producer] = none - self.known[producer] - awaited.get(producer, IndexSet())

    def give_items(self, items: Mapping[Any, Any]) -> None:
        """Take items of foreach by index."""
        new = {int(index): item for index, item in items.items() if int(index) not in self.items}
        if not new:
            return
        self.given.extend((None, index, json.dumps(item)) for index, item in new.items())
        self.items |= IndexSet.from_indexes(new)

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
            "inputs": [[item.get(name) for name in TOLD_OF_INPUTS] for item in self.described["inputs"]],
            "argv": _argv(spec.get("command")),
            "files": self.files,
            "env": {
                **spec.get("env", {}),
                "SWITCHYARD_JOB": str(self.described.get("job", "")),
                "SWITCHYARD_STAGE": str(self.described.get("name", "")),
                "SWITCHYARD_PARALLELISM": str(self.described["parallelism"]),
            },
        }


def _overlapping(indexes: IndexSet, size: int, parallelism: int) -> IndexSet:
    """Return which of `size` tasks share part of the whole with these of `parallelism` tasks."""
    return IndexSet.of((low * size // parallelism, -(-high * size // parallelism)) for low, high in indexes.ranges)


def _argv(command: str | list[str] | None) -> list[str] | None:
    return [SHELL, "-c", command] if isinstance(command, str) else command
