"""A worker: a process that runs tasks one after the other. Forked by the zygote; imports nothing of the agent's own.

It reads items (worker.pipes) and descriptions of stages, and writes one JSON line for each task that it read, in order: a
list [stage, attempt, index, begun, ended, result text] when it finished and there is no more to tell but the digest of what
it was handed and metrics, which follow as a text of their own, else an object;
{"skipped": [stage, attempt, index]} when something of what it was to be given was not there, so that it did not begin.
"""

import ctypes
import os
import random
import resource
import select
import signal
import time
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, Protocol

from switchyard.agent.machine import faults
from switchyard.agent.processes import cgroups
from switchyard.agent.processes.trees import end_children, start_time
from switchyard.agent.worker import coroutines, failures, forks, python_task, results, traces, unpatched
from switchyard.agent.worker.built import Built
from switchyard.agent.worker.command_task import CommandStage
from switchyard.agent.worker.failures import Failure
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.given import Given
from switchyard.agent.worker.pipes import ITEM, LIVE_LIMIT, STATUS, Page
from switchyard.agent.worker.python_task import PythonStage
from switchyard.agent.worker.states import States
from switchyard.agent.worker.streams import Streams
from switchyard.agent.worker.workplace import Workplace
from switchyard.task import Task

PR_SET_CHILD_SUBREAPER = 36
#: Results that are kept for tasks which come after; at least as many as an agent hands over.
KEPT = 128
#: Microseconds within which no task has started a process or removed files: looking for that costs as much as a small task.
BRIEF = 20
#: Seconds for which a worker whose tasks have left threads running waits for the next task.
IDLE = 1.0


@dataclass(frozen=True, slots=True)
class Ends:
    """File descriptors of a worker's ends; its output goes to files that the agent reads."""

    items: int
    stages: int
    results: int
    page: int
    stdout: int
    stderr: int


class Stage(Protocol):
    """A stage as a worker knows it."""

    given: Given
    #: The job whose code runs in the worker's own process; empty for commands.
    job: str

    def run(self, task: Task) -> str | Failure:
        """Run one task; return its result as JSON text, or why there is none."""


class Worker:
    """The loop of one worker process."""

    def __init__(self, ends: Ends, setup: dict[str, Any]) -> None:
        self._ends = ends
        self._folder = Path(setup["folder"])
        self._data = self._folder.parent.parent
        self._cwd = Path(setup["cwd"])
        self._files = Files(setup["files"])
        self._files.lay_out(self._cwd)
        self._natures = self._files.look(self._cwd)
        self._page = Page(ends.page)
        self._claimed = 0
        self._stages: dict[int, Stage] = {}
        self._made: dict[tuple[int, int], str] = {}
        self._place: Workplace | None = None
        self._unread = b""
        self._task: Task | None = None
        self._pid = os.getpid()
        # Not that of the module: a task may have patched it.
        self._clock = time.monotonic_ns
        self._streams = Streams(ends.stdout, ends.stderr)
        self._states = States(self._page, self._folder, lambda: (self._claimed, self._task))

    def serve(self) -> None:
        """Run what comes until the agent closes the pipe."""
        forks.Handler(self._cancel)
        read, seek, clock, memory = os.read, os.lseek, self._clock, self._page.memory
        items, stdout, stderr = self._ends.items, self._ends.stdout, self._ends.stderr
        job, new = "", traces.look()
        out, err = seek(stdout, 0, os.SEEK_END), seek(stderr, 0, os.SEEK_END)
        while record := read(items, ITEM.size):
            stage_id, attempt, index, version, ahead = ITEM.unpack(record)
            stage = self._stages.get(stage_id)
            if stage is None or stage.given.version < version:
                stage = self._receive(stage_id, version)
            if stage.job != job:
                if job and _differs(new):
                    return  # The task has not begun: another worker runs it.
                job = stage.job
                random.seed()  # As in a new process: a task of another job may have chosen what comes.
                out, err = seek(stdout, 0, os.SEEK_END), seek(stderr, 0, os.SEEK_END)
            begun = clock() // 1000
            self._claimed = claimed = self._claimed + 1
            STATUS.pack_into(memory, 0, claimed, stage_id, attempt, index, begun, out, err, claimed)
            given = stage.given
            handed = 0
            if given.needs:
                if not given.complete(index, self._made if ahead else {}):
                    self._write(b'{"skipped":[%d,%d,%d]}\n' % (stage_id, attempt, index))
                    continue
                handed = given.digest(index)
            task = given.task(index, attempt, self._tell, self._states)
            ended = self._run(stage, task)
            usable = self._clean_up(brief=clock() // 1000 - begun < BRIEF) and not self._fills(ended)
            out_end, err_end = seek(stdout, 0, os.SEEK_END), seek(stderr, 0, os.SEEK_END)
            if type(ended) is str and out_end == out and err_end == err and _plain(task, ended):
                more = f",{handed},{_text(task.metrics)}" if task.metrics else f",{handed}" if handed else ""
                told = f"[{stage_id},{attempt},{index},{begun},{clock() // 1000},{encode_basestring_ascii(ended)}{more}]\n"
                line = told.encode()
            else:
                line = self._tell_all(stage_id, task, handed, begun, ended, [out, out_end], [err, err_end])
            out, err = out_end, err_end
            if type(ended) is str and len(ended) <= results.INLINE:
                self._keep(stage_id, index, ended)
            self._write(line)
            if not usable or (self._streams.muted and self._is_idle()):
                return

    def _run(self, stage: Stage, task: Task) -> str | Failure:
        self._task = task
        try:
            ended = stage.run(task)
        except BaseException as error:
            ended = failures.describe(error)
        self._task = None
        if os.getpid() != self._pid:
            os._exit(1)  # A fork that the task let go on; the worker itself is elsewhere.
        return ended

    def _clean_up(self, *, brief: bool) -> bool:
        """End what a task has left running; say whether its modules can go on: those that believe in a process cannot."""
        self._streams.settle()
        return brief or (not end_children() and self._is_whole())

    def _fills(self, ended: str | Failure) -> bool:
        """Say whether a task has failed and nothing is free: what it left in the folder goes with this worker."""
        return type(ended) is Failure and faults.no_space_left(self._data)

    def _is_idle(self) -> bool:
        """Say whether nothing needs this process for a while but threads that its tasks have left."""
        return not select.select([self._ends.items], [], [], IDLE)[0]

    def _is_whole(self) -> bool:
        """Say whether tasks have left what the next ones need; else this worker ends, and they get another."""
        try:
            self._natures = self._files.mend(self._cwd, self._natures)
            return os.fstat(self._ends.stdout).st_nlink > 0 and (self._place is None or self._place.is_whole)
        except OSError:
            return False

    def _keep(self, stage: int, index: int, result: str) -> None:
        self._made[stage, index] = result
        if len(self._made) > KEPT:
            del self._made[next(iter(self._made))]

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._ends.results, line) :]

    def _receive(self, wanted: int, version: int) -> Stage:
        """Read descriptions until enough of the wanted one is there; the agent writes it before the items."""
        while wanted not in self._stages or self._stages[wanted].given.version < version:
            while b"\n" not in self._unread:
                self._unread += os.read(self._ends.stages, 1 << 16)
            line, _, self._unread = self._unread.partition(b"\n")
            told = unpatched.decode(line.decode())
            if "path" in told:
                path = Path(told["path"])
                told = unpatched.decode(path.read_text("utf-8"))
                path.unlink(missing_ok=True)
            stage = self._stages.get(told["id"])
            if stage is None:
                stage = self._stages[told["id"]] = self._new_stage(told)
            stage.given.add(told["given"])
        return self._stages[wanted]

    def _new_stage(self, told: dict[str, Any]) -> Stage:
        stage = self._stage(told)
        return Built(stage, told["build"], self._ends.stderr) if told.get("build") else stage

    def _stage(self, told: dict[str, Any]) -> Stage:
        if told["python"]:
            return PythonStage(told, self._data, self._cwd, self._folder, self._files)
        self._place = self._place or Workplace(self._folder, self._page, (self._ends.stdout, self._ends.stderr))
        return CommandStage(told, self._place, self._data)

    def _tell(self, task: Task) -> None:
        """Show what a running task tells of itself to the agent."""
        if task is not self._task or os.getpid() != self._pid:
            return
        text = unpatched.encode([self._claimed, task.metrics, task.accumulators]).encode()
        if len(text) > LIVE_LIMIT:
            raise ValueError("the task tells more metrics and accumulators than are kept")
        self._page.set_live(text)

    def _tell_all(
        self, stage: int, task: Task, handed: int, begun: int, ended: str | Failure, stdout: list[int], stderr: list[int]
    ) -> bytes:
        told: dict[str, Any] = {
            "stage": stage,
            "attempt": task.attempt,
            "index": task.index,
            "begun": begun,
            "inputs": handed,
        }
        told |= {"metrics": task.metrics, "accumulators": task.accumulators, "stdout": stdout, "stderr": stderr}
        stored: dict[str, Any] = {}
        if isinstance(ended, str) and len(ended) > results.INLINE:
            try:
                stored = {"result": None, **results.store(ended, self._data / "results")}
            except OSError as error:
                ended = failures.fault(error, self._data)
        if isinstance(ended, Failure):
            told |= {"outcome": "FAILED", "class": ended.exit_class, "error": _storable(ended.error)}
            told |= {"exit_code": ended.exit_code, "exceptions": ended.exceptions, "fault": ended.fault}
            if ended.unfit:
                told["unfit"] = ended.unfit
        else:
            told |= {"outcome": "FINISHED", "result": ended, **stored}
            if task.handed_on:
                told |= {"files": task.handed_on, "unstored": True}
        told["ended"] = self._clock() // 1000
        return unpatched.encode(told).encode() + b"\n"

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.canceled = True
            coroutines.cancel()


def become(ends: Ends, setup: dict[str, Any]) -> None:
    """Turn a freshly forked process into a worker with a session, an environment and signals of its own."""
    if setup["group"]:
        cgroups.join(setup["group"])
    os.setsid()
    signals_as_new()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.clear()
    os.environ.update(setup["env"])
    os.chdir(setup["cwd"])
    python_task.prepare(setup["cwd"] if setup["files"] else None)
    Page(ends.page).set_processes(os.getpid(), start_time("self"))


def signals_as_new() -> None:
    """Handle signals as a new Python does: what ignores them above this process shall not be inherited."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _differs(new: dict[str, Any]) -> bool:
    """Say whether this process is not as it was when it was new."""
    try:
        return traces.look() != new
    except Exception:  # Whatever prevents the look was left by a task.
        return True


def _plain(task: Task, text: str) -> bool:
    return task.accumulators is None and len(text) <= results.INLINE and not task.handed_on


def _text(metrics: dict[str, float]) -> str:
    """Return metrics as JSON in a JSON text: it is passed on as it is."""
    return encode_basestring_ascii(unpatched.encode(metrics))


def _storable(text: str) -> str:
    """Return a text as the server can keep it."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
