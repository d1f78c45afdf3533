"""What one task is handed as files and hands on as files. Runs in workers."""

from pathlib import Path
from typing import Any

from switchyard.agent.disk import cached
from switchyard.agent.worker import handed
from switchyard.agent.worker.handed import Share
from switchyard.agent.worker.outputs import Outputs
from switchyard.scheduling.indexes import IndexSet
from switchyard.task import Task

#: The variable that names the folder with the files that a task is handed.
VARIABLE = "SWITCHYARD_FILES"


class Exchange:
    """The files of a stage's tasks, one task after the other; `folder` is where those are laid out that it is handed."""

    def __init__(self, told: dict[str, Any], data: Path, folder: Path) -> None:
        self.outputs = Outputs(told["outputs"], told["largest_file"])
        self.folder = folder / "handed"
        self._inputs: dict[str, list[str]] = told["file_inputs"]
        self._source = cached.handed(data, told["id"])
        self._data = data

    @property
    def hands(self) -> bool:
        """Whether tasks are handed files."""
        return bool(self._inputs)

    @property
    def is_empty(self) -> bool:
        """Whether tasks neither are handed files nor hand on any."""
        return not (self._inputs or self.outputs)

    def begin(self, task: Task, tasks: dict[str, tuple[int, IndexSet]], cwd: Path) -> None:
        """Hand a task its files, of these tasks by the names of their stages, and make what its outputs need."""
        if self._inputs:
            shares = {name: Share(tasks[name][0], outputs, list(tasks[name][1])) for name, outputs in self._inputs.items()}
            task.inputs_files = handed.lay_out(self._source, self.folder, shares)
        self.outputs.prepare(cwd)
        task.place_outputs(lambda name: self.outputs.path(cwd, name))

    def take(self, task: Task, cwd: Path) -> None:
        """Take what a task hands on, which has succeeded. Raises BadOutput, OSError."""
        if self.outputs:
            task.handed_on = self.outputs.take(cwd, self._data)

    def end(self) -> None:
        """Remove what the task was handed."""
        if self._inputs:
            handed.remove(self.folder)
