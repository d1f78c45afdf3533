"""The agent's side of one worker process: its pipes, its page, its signals and its control group."""

import fcntl
import json
import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path

from switchyard.agent.core.records import Death, Saved, Status
from switchyard.agent.core.workers import Key, Worker
from switchyard.agent.disk import output
from switchyard.agent.processes import trees
from switchyard.agent.processes.cgroups import Group
from switchyard.agent.worker.pipes import ITEM, Page, pack_items
from switchyard.agent.worker.states import FOLDER

#: A description goes through the pipe if that has room for so many of its size: a worker has fewer tasks.
DESCRIPTIONS = 128
#: Bytes that a pipe holds; a larger buffer would cost more than what is read into it.
PIPE = 64 * 1024


class WorkerProcess(Worker):
    """A worker as a process below a zygote."""

    def __init__(
        self,
        zygote: object,
        number: int,
        key: Key,
        folder: Path,
        items: int,
        unclaimed: int,
        stages: int,
        results: int,
        page: int,
        patience: float,
    ) -> None:
        super().__init__(number, key, str(folder), patience)
        self.zygote = zygote
        self.results = results
        self.page = Page(page)
        #: Its control group, if it has one.
        self.group: Group | None = None
        self._items = items
        self._unclaimed = unclaimed
        self._stages = stages
        self._inline = fcntl.fcntl(stages, fcntl.F_GETPIPE_SZ) // DESCRIPTIONS
        self._partial = b""

    def send_description(self, stage: int, version: int, line: bytes) -> None:
        """Pass a stage's description on, a long one by a file, so that this never waits for the worker."""
        if len(line) > self._inline:
            path = Path(self.folder) / f"stage-{stage}-{version}.json"
            try:
                path.write_bytes(line)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            line = json.dumps({"path": str(path)}).encode() + b"\n"
        with suppress(BrokenPipeError):  # It has just ended, and takes no tasks either (see send).
            os.write(self._stages, line)

    def send(self, stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> None:
        """Write tasks into its pipe. A worker that has just died takes none; they are found when its end is heard."""
        try:
            os.write(self._items, pack_items(stage, attempt, indexes, version, ahead=ahead))
        except BrokenPipeError:
            return

    def withdraw(self) -> int:
        try:
            return len(os.read(self._unclaimed, ITEM.size * 4096)) // ITEM.size
        except BlockingIOError:
            return 0

    def status(self) -> Status:
        return self.page.status()

    def live(self) -> tuple[int, bytes]:
        return self.page.live()

    def saved(self) -> Saved | None:
        return self.page.saved()

    def take_state(self, number: int) -> str | None:
        folder = Path(self.folder)
        taken = folder.parent.parent / "results" / f"state-{secrets.token_hex(8)}"
        try:
            (folder / FOLDER / str(number)).rename(taken)
        except FileNotFoundError:
            return None
        return str(taken)

    def expected(self) -> int:
        return self.page.expected()

    def ask(self, claimed: int, checkpoint: int) -> None:
        self.page.ask(claimed, checkpoint)

    def resident(self) -> int:
        pid = self.page.processes()[1]
        return trees.resident(pid) if pid else 0

    def limit(self, mem: int) -> bool:
        if not self.group:
            return False
        try:
            self.group.bound(mem)
        except OSError:
            return False
        return True

    def ran_out(self, *, killed: bool) -> bool:
        return self.group is not None and (killed or self.mem > 0) and self.group.killed()

    def terminate(self) -> bool:
        group, pid, _ = self.page.processes()
        try:
            if self.key[0] != "command":
                os.kill(pid, signal.SIGTERM) if pid else None
                return bool(pid)
            if group:
                os.killpg(group, signal.SIGTERM)
            return bool(group)
        except ProcessLookupError:
            return False

    def kill(self) -> bool:
        pid = self.page.processes()[1]
        if pid:
            trees.kill(pid, root=self.key[0] != "command")
        return bool(pid)

    def clear(self) -> None:
        group, pid, started = self.page.processes()
        if pid and trees.start_time(pid) == started:
            trees.kill(pid, root=True)
        for leader in filter(None, (group, pid)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)

    def read(self) -> bytes:
        """Return whole lines that the worker has written, b"" if there are none now."""
        while b"\n" not in self._partial and not self.mute:
            try:
                data = os.read(self.results, PIPE)
            except BlockingIOError:
                return b""
            self.mute = not data
            if self.mute:
                return b""
            self._partial += data
        whole, newline, self._partial = self._partial.rpartition(b"\n")
        return whole + newline

    def death(self, status: int, *, out_of_memory: bool) -> Death:
        """Return what is to be known of the end of its process."""
        page, folder = self.status(), Path(self.folder)
        name = trees.signal_name(-status) if status < 0 else ""
        last_line = output.last_line(folder / "stderr", page.stderr)
        stdout, stderr = output.size(folder / "stdout"), output.size(folder / "stderr")
        return Death(status, page, name, out_of_memory, last_line, (page.stdout, stdout), (page.stderr, stderr))

    def dismiss(self) -> None:
        if self._items >= 0:
            os.close(self._items)
            self._items = -1

    def close(self) -> None:
        """Give back what a worker that has ended held here, but for its output."""
        self.retire()
        for fd in (self._unclaimed, self._stages, self.results):
            os.close(fd)
        self.page.memory.close()
