"""What a running task sees of itself and tells of itself (docs/tasks.md).

A callable is given its `Task` when its first parameter is named `task`; any code that it calls finds it by `current()`.
Nothing here knows how what is told travels.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final, Protocol, SupportsFloat

from switchyard import accumulators


class Canceled(BaseException):
    """Raised in a task that is to end: its job was canceled, it ran out of time, or its node stops."""


class NotRunning(RuntimeError):
    """No task runs in this process."""


class Failed:
    """The type of FAILED: what stands in for the result of a task that failed, where the job tolerates it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "FAILED"


FAILED: Final = Failed()


class Keeper(Protocol):
    """Keeps the states of tasks, and says for which checkpoint the running one is asked."""

    def asked(self, task: "Task") -> int:
        """Return the number of the last checkpoint that a task was asked for; 0 for none."""

    def expect(self, task: "Task") -> None:
        """Note that a task answers when it is asked."""

    def save(self, task: "Task", state: Any, checkpoint: int) -> bool:
        """Keep a state, the answer to a checkpoint unless that is 0, and return whether the task is to end now.

        Raises ValueError if it cannot be kept.
        """


class Task:
    """One task while it runs.

    `index` of `parallelism`, at this `attempt` (from 0). `inputs` holds the results of the stages that it needs, by
    their names and in the order of their tasks; with `foreach`, `item` is its own item. What a task changes of them
    no other task sees. `inputs_files` has the paths of the files that these stages hand on, by stage and output, in the
    order of their tasks; nobody may change these files. `config` is what its job has under this name.
    """

    __slots__ = (
        "_answered", "_keeper", "_place", "_restored", "_state", "_tell", "accumulators", "attempt", "canceled", "config",
        "handed_on", "index", "inputs", "inputs_files", "item", "metrics", "parallelism",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        parallelism: int,
        attempt: int = 0,
        inputs: dict[str, list[Any]] | None = None,
        item: Any = None,
        tell: Callable[["Task"], None] | None = None,
        keeper: Keeper | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.index = index
        self.parallelism = parallelism
        self.attempt = attempt
        self.inputs = {} if inputs is None else inputs
        self.item = item
        self.config = {} if config is None else config
        self.canceled = False
        self.metrics: dict[str, float] | None = None
        self.accumulators: dict[str, Any] | None = None
        self.inputs_files: dict[str, dict[str, list[Path]]] = {}
        #: What it hands on, once it has succeeded: as switchyard.scheduling.lifecycle.ends.File has it.
        self.handed_on: list[list[Any]] = []
        self._tell = tell
        self._place: Callable[[str], Path] | None = None
        self._keeper = keeper
        self._restored: Callable[[], Any] | None = None
        self._state: Callable[[], Any] | None = None
        self._answered = 0

    def output(self, name: str) -> Path:
        """Return where to write an output of the stage: the path of its file, or for a pattern the folder of its files.

        The folder is there. Raises KeyError for a name that the stage does not have.
        """
        if self._place is None:
            raise KeyError(f"{name!r} is no output of this stage")
        return self._place(name)

    def place_outputs(self, place: Callable[[str], Path]) -> None:
        """Say where outputs are written. Called by the worker alone."""
        self._place = place

    def save_state(self, state: Any) -> None:
        """Keep a state, JSON values or bytes, from which another attempt of this task goes on; it replaces the last one.

        It is at the server about a second later. Raises ValueError for what is neither or takes more than 64 MiB, Canceled if
        the job is suspended.
        """
        if self._keeper is not None:
            self._save(state, self._keeper, self._keeper.asked(self))

    def restored_state(self, default: Any = None) -> Any:
        """Return the state that this attempt is to go on from, each time anew; `default` if there is none."""
        return default if self._restored is None else self._restored()

    def on_checkpoint(self, state: Callable[[], Any]) -> None:
        """Have `state` called for each checkpoint of the job, and when the job is suspended; what it returns is saved.

        It is called where the task tells something (`progress`, `metric`, `accumulate`, `check`), in the main thread: there
        alone the task says that its values fit together.
        """
        self._state = state
        if self._keeper is not None:
            self._keeper.expect(self)

    def restore(self, read: Callable[[], Any]) -> None:
        """Say how the state is read that this attempt is to go on from. Called by the worker alone."""
        self._restored = read

    def progress(self, share: float) -> None:
        """Tell how much is done, from 0 to 1."""
        if not 0 <= share <= 1:
            raise ValueError(f"progress is a share from 0 to 1, not {share!r}")
        self.metric("progress", share)

    def metric(self, name: str, value: SupportsFloat) -> None:
        """Tell the present value of something; it replaces the last one of that name."""
        if self.metrics is None:
            self.metrics = {}
        self.metrics[_name(name)] = accumulators.number(name, value)
        self._told()

    def accumulate(self, name: str, value: SupportsFloat = 1, kind: str | None = None) -> None:
        """Add to what the stage's tasks add up together under this name: a sum, or what `kind` says.

        That is `int` (a sum of whole numbers that fits in 32 bits), `long` (of any whole numbers), `double`, `average`, or
        `histogram`: how often each whole number was added. All values of a name are of one kind.
        """
        kept = {} if self.accumulators is None else self.accumulators
        kept[_name(name)] = accumulators.added(name, kept.get(name), value, kind)
        self.accumulators = kept
        self._told()

    def log(self, text: str) -> None:
        """Write a line to the task's log, among its standard error."""
        if sys.__stderr__:
            print(text, file=sys.__stderr__, flush=True)

    def check(self) -> None:
        """Raise Canceled if this task is to end."""
        self._answer()
        if self.canceled:
            raise Canceled

    def _told(self) -> None:
        if self._tell is not None:
            self._tell(self)
        self._answer()

    def _answer(self) -> None:
        """Save the state if the task was asked for it."""
        if self._state is None or self._keeper is None or current_thread() is not main_thread():
            return
        asked = self._keeper.asked(self)
        if asked not in (0, self._answered):
            self._answered = asked  # First: what is called may tell something too.
            self._save(self._state(), self._keeper, asked)

    def _save(self, state: Any, keeper: Keeper, asked: int) -> None:
        """Save a state; a task that was asked for its last one ends here, so that nothing that it does is lost."""
        ends = keeper.save(self, state, asked)
        self._answered = asked
        if ends:
            self.canceled = True
            raise Canceled


def current() -> Task:
    """Return the task that runs in this process; raise NotRunning if there is none."""
    if _running is None:
        raise NotRunning("no task runs in this process")
    return _running


@contextmanager
def loading() -> Iterator[None]:
    """Say meanwhile that the module of a task is being loaded. Called by the worker alone."""
    global _loading  # noqa: PLW0603
    _loading = True
    try:
        yield
    finally:
        _loading = False


def require_loaded() -> None:
    """Raise RuntimeError while the module of a task is being loaded: a job submitted there would submit itself for ever."""
    if _loading:
        raise RuntimeError('a module that tasks are loaded from submits jobs below `if __name__ == "__main__":` alone')


def run(task: Task | None) -> None:
    """Make `task` the one that `current` returns. Called by the worker alone."""
    global _running  # noqa: PLW0603
    _running = task


def _name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable():
        raise ValueError(f"a name is printable text of up to 200 characters, not {name!r:.100}")
    return name


_running: Task | None = None
_loading = False
