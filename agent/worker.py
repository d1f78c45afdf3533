"""A worker: a process that runs tasks one after the other. Forked by the zygote; imports nothing of the agent's own.

It reads items (agent.wire) and descriptions of stages, and writes one JSON line for each task that ended:
[stage, attempt, index, begun, ended, result text] when it finished, an object when there is more to tell.
"""

import importlib
import inspect
import json
import mmap
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from agent.wire import ITEM, STATUS
from switchyard.task import Task


@dataclass(frozen=True, slots=True)
class Pipes:
    """File descriptors of a worker's ends."""

    items: int
    stages: int
    results: int
    status: int


class Worker:
    """The loop of one worker process."""

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes
        self._status = mmap.mmap(pipes.status, STATUS.size)
        self._claimed = 0
        self._stages: dict[int, Stage] = {}
        self._unread = b""

    def serve(self) -> None:
        """Run what comes until the agent closes the pipe."""
        read, write, items, results = os.read, os.write, self._pipes.items, self._pipes.results
        while record := read(items, ITEM.size):
            stage_id, attempt, index = ITEM.unpack(record)
            stage = self._stages.get(stage_id) or self._receive(stage_id)
            begun = time.monotonic_ns() // 1000
            self._claimed += 1
            STATUS.pack_into(self._status, 0, self._claimed, stage_id, attempt, index, begun, 0)
            line = stage.run(stage_id, attempt, index, begun)
            while line:
                line = line[write(results, line) :]

    def _receive(self, wanted: int) -> "Stage":
        """Read descriptions until the wanted one is there; the agent writes it before the items."""
        while wanted not in self._stages:
            while b"\n" not in self._unread:
                self._unread += os.read(self._pipes.stages, 1 << 16)
            line, _, self._unread = self._unread.partition(b"\n")
            described = json.loads(line)
            if "path" in described:
                described = json.loads(Path(described["path"]).read_bytes())
            self._stages[described["id"]] = Stage(described)
        return self._stages[wanted]


class Stage:
    """A stage as a worker knows it: a callable and what it is called with."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._call: Callable[[Task], Any] | None = None
        self._inputs = {name: [json.loads(text) for text in texts] for name, texts in described["inputs"].items()}

    def run(self, stage: int, attempt: int, index: int, begun: int) -> bytes:
        """Run one task and return the line that tells how it ended."""
        try:
            if self._call is None:
                self._call = self._resolve()
            task = Task(index, self._described["parallelism"], attempt, self._inputs)
            text = json.dumps(self._call(task), allow_nan=False)
        except BaseException as error:
            return _failure(stage, attempt, index, begun, error)
        ended = time.monotonic_ns() // 1000
        return f"[{stage},{attempt},{index},{begun},{ended},{encode_basestring_ascii(text)}]\n".encode("ascii")

    def _resolve(self) -> Callable[[Task], Any]:
        module, _, name = self._described["python"].partition(":")
        function = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        args, kwargs = self._described["args"], self._described["kwargs"]
        if next(iter(inspect.signature(function).parameters), None) == "task":  # type: ignore[arg-type]
            return lambda task: function(task, *args, **kwargs)  # type: ignore[operator]
        return lambda task: function(*args, **kwargs)  # type: ignore[operator]


def _failure(stage: int, attempt: int, index: int, begun: int, error: BaseException) -> bytes:
    told = {
        "stage": stage,
        "attempt": attempt,
        "index": index,
        "begun": begun,
        "ended": time.monotonic_ns() // 1000,
        "class": "error",
        "exception": type(error).__name__,
        "error": "".join(traceback.format_exception(error))[-8192:],
    }
    return json.dumps(told).encode("ascii") + b"\n"
