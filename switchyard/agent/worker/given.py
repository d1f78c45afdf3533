"""What a stage's tasks are given, from what the agent tells a worker. Runs in workers."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from switchyard.agent.core.records import LEFT_OUT, NO_RESULT, STORED
from switchyard.agent.worker import states, unpatched
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import digest
from switchyard.scheduling.pointwise import overlapping
from switchyard.task import FAILED, Keeper, Task

_UNKNOWN = object()


class Written(str):
    """The JSON text of a list or an object: a task could change one that it shares with others."""

    __slots__ = ()


class Given:
    """What a stage's tasks are given: the results of other stages, and items. It grows while the stage runs."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.parallelism: int = told["parallelism"]
        self._sizes: dict[str, int] = {name: size for name, size, _, _ in told["inputs"]}
        self._pointwise = {name for name, _, exchange, _ in told["inputs"] if exchange == "pointwise"}
        self._stages: dict[str, int] = {name: stage for name, _, _, stage in told["inputs"]}
        self._inputs: dict[str, list[Any]] = {name: [_UNKNOWN] * size for name, size in self._sizes.items()}
        #: The inputs that hold lists or objects.
        self._written: set[str] = set()
        self._unknown = dict(self._sizes)
        #: Whether tasks are given anything of other stages.
        self.needs = bool(self._sizes)
        #: By input, the tasks that gave no result, and of these those that are left out.
        self._without: dict[str, set[int]] = {}
        self._left_out: dict[str, set[int]] = {}
        self._items: dict[int, str] = {}
        #: By task, the state that its next attempt goes on from.
        self._restored: dict[int, states.Kept] = {}
        #: What the job says to all tasks, as JSON text.
        self._config = unpatched.encode(told["config"]) if told.get("config") else ""
        self._digest = 0
        self.version = 0

    def add(self, given: list[list[Any]]) -> None:
        """Take more of it: [stage name or null for an item, index, JSON text or why there is none (core.records)].

        Without a name, but not null, it is the state that a task is restored from.
        """
        for name, index, text in given:
            if name is None:
                self._items[index] = text
                continue
            if not name:
                self._restored[index] = unpatched.decode(text)
                continue
            if text.startswith(STORED):
                self._read(name, index, Path(text.removeprefix(STORED)))
                continue
            if text in (NO_RESULT, LEFT_OUT):
                self._without.setdefault(name, set()).add(index)
            if text == LEFT_OUT:
                self._left_out.setdefault(name, set()).add(index)
            self._set(name, index, FAILED if text in (NO_RESULT, LEFT_OUT) else _kept(text))
        self.version += len(given)

    def _read(self, name: str, index: int, path: Path) -> None:
        """Take a result from its file; without it, as when its stage was forgotten meanwhile, the input stays incomplete."""
        with suppress(FileNotFoundError):
            self._set(name, index, _kept(path.read_text("ascii")))

    def complete(self, index: int, made: Mapping[tuple[int, int], str]) -> bool:
        """Add what a task lacks from what was made here, JSON texts by stage and index; say whether nothing is missing."""
        for name, unknown in self._unknown.items():
            if not unknown:
                continue
            stage, inputs = self._stages[name], self._inputs[name]
            for at in range(*self._range(name, index)):
                if inputs[at] is _UNKNOWN:
                    text = made.get((stage, at))
                    if text is None:
                        return False
                    self._set(name, at, _kept(text))
        return True

    def task(self, index: int, attempt: int, tell: Callable[[Task], None], keeper: Keeper) -> Task:
        """Return a task, with all that it is given as its own to change."""
        inputs = {name: self._share(name, index) for name in self._inputs} if self.needs else {}
        found = self._items.get(index)
        item = None if found is None else unpatched.decode(found)
        config = unpatched.decode(self._config) if self._config else None
        task = Task(index, self.parallelism, attempt, inputs, item, tell, keeper, config)
        if restored := self._restored.get(index):
            task.restore(partial(states.read, restored))
        return task

    def digest(self, index: int) -> int:
        """Return the digest of what a task is given of other stages (switchyard.scheduling.inputs)."""
        if self._pointwise:
            return digest((stage, self._handed(name, index)) for name, stage in self._stages.items())
        # All tasks are given the same.
        self._digest = self._digest or digest((stage, self._handed(name, 0)) for name, stage in self._stages.items())
        return self._digest

    def tasks_of(self, index: int) -> dict[str, tuple[int, IndexSet]]:
        """Return the tasks whose results a task is given, by the names of their stages, each with the id of the stage."""
        return {name: (stage, self._handed(name, index)) for name, stage in self._stages.items()}

    def _handed(self, name: str, index: int) -> IndexSet:
        tasks = IndexSet.span(*self._range(name, index))
        without = self._without.get(name)
        return tasks - IndexSet.from_indexes(without) if without else tasks

    def _set(self, name: str, index: int, value: Any) -> None:
        inputs = self._inputs[name]
        self._unknown[name] -= inputs[index] is _UNKNOWN
        inputs[index] = value
        if type(value) is Written:
            self._written.add(name)

    def _share(self, name: str, index: int) -> list[Any]:
        """Return an input without what is left out of it: of a pointwise one, the part that overlaps the task's share."""
        low, high = self._range(name, index)
        given, left_out = self._inputs[name][low:high], self._left_out.get(name)
        if left_out:
            given = [value for at, value in enumerate(given, low) if at not in left_out]
        if name in self._written:
            given = [unpatched.decode(value) if type(value) is Written else value for value in given]
        return given

    def _range(self, name: str, index: int) -> tuple[int, int]:
        """Return which tasks of an input a task is given, as a half-open range."""
        size, parallelism = self._sizes[name], self.parallelism
        if name not in self._pointwise:
            return 0, size
        return overlapping(index, index + 1, parallelism, size)


def _kept(text: str) -> Any:
    """Return what is kept of a value until tasks are given it."""
    value = unpatched.decode(text)
    return Written(text) if isinstance(value, list | dict) else value
