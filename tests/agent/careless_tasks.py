"""Tasks that leave their worker in disorder, and tasks that would notice."""

import _thread
import asyncio
import contextlib
import dataclasses
import datetime
import decimal
import enum
import json
import logging
import multiprocessing
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy

from switchyard.task import Task


def pools(count: int) -> int:
    """Use pools of processes, one after the other, as anybody would."""
    total = 0
    for _ in range(count):
        with multiprocessing.get_context("fork").Pool(4) as pool:
            total += sum(pool.map(abs, [-1, -2]))
    return total


def terminated(path: str) -> Any:
    """End a process of one's own; return its exit code, and whether it went through `finally`."""
    process = multiprocessing.get_context("fork").Process(target=_tidy_sleep, args=[path])
    process.start()
    while not Path(path).exists():
        time.sleep(0.01)
    process.terminate()
    process.join()
    return [process.exitcode, Path(path).read_text()]


def _tidy_sleep(path: str) -> None:
    try:
        begun = Path(f"{path}.new")
        begun.write_text("begun")
        begun.rename(path)  # With what it holds, so that who sees it may end this process.
        time.sleep(1000)
    finally:
        Path(path).write_text("tidied")


SHOW_SIGNALS = """
import signal
print([repr(number).split(':')[0][1:] for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
      signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def inherited() -> Any:
    """Return what a program that a task starts finds ignored, handled and blocked."""
    return subprocess.run([sys.executable, "-c", SHOW_SIGNALS], capture_output=True, text=True, check=True).stdout


def interrupted() -> str:
    try:
        _thread.interrupt_main()
        time.sleep(1)
    except KeyboardInterrupt:
        return "interrupted"
    return "deaf"


def leaves_children(path: str) -> int:
    """Leave a child and a grandchild that nobody waits for, and one that has ended."""
    subprocess.Popen(["true"])
    script = f"sleep 1000 & echo $! >> {path}; echo $$ >> {path}; setsid sleep 1000"
    subprocess.Popen(["/bin/sh", "-c", script])
    while len(lines := Path(path).read_text().split() if Path(path).exists() else []) < 2:
        time.sleep(0.01)
    return len(lines)


def children() -> Any:
    """Return the pid of this worker and its children, zombies among them."""
    found = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True, check=True)
    return [os.getpid(), [name for name in found.stdout.split() if name != "ps"]]


def _thread_that_waits() -> None:
    threading.Thread(target=time.sleep, args=[1000], daemon=True).start()


def _closed_descriptors() -> None:
    os.close(1)
    os.close(2)


def _other_files() -> None:
    for fd in (1, 2):
        os.dup2(os.open("/dev/null", os.O_WRONLY), fd)


def _other_streams() -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def _deleted_folder() -> None:
    gone = Path("gone").absolute()
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def _no_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _set_path() -> None:
    os.environ["PATH"] = "/nowhere"


def _ignore_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _block_term() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


MESSES: dict[str, Callable[[], Any]] = {
    "closed descriptors": _closed_descriptors,
    "other files": _other_files,
    "other streams": _other_streams,
    "alarm": lambda: signal.alarm(1),
    "deleted folder": _deleted_folder,
    "other folder": lambda: os.chdir("/"),
    "file in the folder": lambda: Path("mine").write_text("mine"),
    "open file": lambda: os.open("/dev/zero", os.O_RDONLY),
    "path": _set_path,
    "umask": lambda: os.umask(0o777),
    "priority": lambda: os.nice(5),
    "recursion limit": lambda: sys.setrecursionlimit(150),
    "thread": _thread_that_waits,
    "few descriptors": _no_descriptors,
    "ignored signal": _ignore_term,
    "blocked signal": _block_term,
    "builtin": lambda: setattr(__import__("builtins"), "print", len),
    "import path": lambda: sys.path.insert(0, "/nowhere"),
}


def makes_mess(kind: str) -> int:
    MESSES[kind]()
    return os.getpid()


def looks(folder: str) -> Any:
    """Do what any task may do, and return what it meets."""
    print("hello")
    print("trouble", file=sys.stderr)
    Path(folder, "written").write_text(str(os.getpid()))
    time.sleep(1.2)
    subprocess.run(["true"], check=True)
    return {
        "pid": os.getpid(),
        "folder": sorted(str(path) for path in Path().rglob("*")),
        "mode": oct(Path(folder, "written").stat().st_mode),
        "path": "/nowhere" in [*os.environ["PATH"].split(os.pathsep), *sys.path],
        "nice": os.nice(0),
        "deep": sys.getrecursionlimit() > 900,
        "threads": threading.active_count(),
        "signal": callable(signal.getsignal(signal.SIGTERM)) and not signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    }


def prints_later(task: Task, folder: str) -> int:
    """Leave a thread that prints, logs and tells as soon as it may."""

    def talk() -> None:
        while not Path(folder, "speak").exists():
            time.sleep(0.01)
        print("too late")
        print("too late", file=sys.stderr)
        sys.stdout.buffer.write(b"too late")
        sys.stdout.flush()
        task.log("too late")
        task.metric("late", 1)
        Path(folder, "spoken").touch()

    threading.Thread(target=talk, daemon=True).start()
    return os.getpid()


def lets_speak(task: Task, folder: str) -> int:
    task.metric("mine", 2)
    Path(folder, "speak").touch()
    while not Path(folder, "spoken").exists():
        time.sleep(0.01)
    print("in time")
    return os.getpid()


def forks_and_tells(task: Task, folder: str) -> None:
    """Tell something, have a child tell something else, and wait."""
    task.metric("mine", 1)
    if (child := os.fork()) == 0:
        task.metric("other", 1)
        os._exit(0)
    os.waitpid(child, 0)
    while not Path(folder, "go").exists():
        time.sleep(0.01)


def exits(code: Any = None) -> NoReturn:
    sys.exit(code)


async def gathers(task: Task) -> list[int]:
    async def one(number: int) -> int:
        await asyncio.sleep(0.01)
        return number + task.index

    return await asyncio.gather(*[one(number) for number in range(3)])


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise LookupError("found nothing")


async def waits(folder: str) -> None:
    """Wait beside another task that does most of the work, and say how it was asked to end."""

    async def busy() -> None:
        while True:
            await asyncio.sleep(0)

    other = asyncio.create_task(busy())
    Path(folder, "running").touch()
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        Path(folder, "asked").write_text(str(other.done()))
        raise


def long_message(size: int, depth: int = 0) -> NoReturn:
    if depth:
        long_message(size, depth - 1)
    raise ValueError("it begins here\n" + "x" * size)


def scalars() -> Any:
    numbers = [numpy.int64(3), numpy.float32(1.5), numpy.float64(2.5), numpy.bool_(True)]
    return {"numbers": numbers, "exact": json.loads('[6.02e23, -0.0, 1.0, 12345678901234567890, {"b": 1, "a": 2}]')}


def array() -> Any:
    return {"rows": [{"values": numpy.arange(3)}]}


def returns(value: Any) -> Any:
    return value


def patches_json(task: Task, encoder: str) -> Any:
    """Replace what the module json gives, as libraries do that are to be faster or to write more types."""
    task.metric("rows", 1)
    print("hello")
    whole = json.JSONEncoder(indent=2).encode
    json.dumps = {"garbage": lambda *_: "garbage", "indented": whole, "raises": _raises}[encoder]  # type: ignore[assignment]
    json.loads = _raises  # type: ignore[assignment]
    time.monotonic_ns = _raises
    task.metric("rows", 1)
    return {"text": "a"}


def _raises(*_args: object) -> NoReturn:
    raise ValueError


def draws(seed: int | None) -> Any:
    """Return the pid and a random number, drawn after this seed; and choose the next one."""
    if seed is not None:
        random.seed(seed)
    drawn = random.random()
    random.seed(drawn)
    return [os.getpid(), drawn]


def changes(task: Task, item: list[Any], plain: list[int], *, named: dict[str, Any]) -> Any:
    """Return what this task is given, and change all of it."""
    given = json.loads(json.dumps([task.inputs["numbers"], item, plain, named]))
    for value in (*task.inputs["numbers"], named):
        for values in value.values() if isinstance(value, dict) else ():
            values.append(6)
    task.inputs["numbers"].reverse()
    item[0].append(6)
    plain.append(6)
    return given


def writes_everywhere(task: Task, line: str) -> Any:
    """Write a line to all pipes of this process, if this is the first task."""
    for path in Path("/proc/self/fd").iterdir() if task.index == 0 else ():
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(path.stat().st_mode):
                os.write(int(path.name), f"{line}\n".encode())
    return task.index


def raises_in_worker() -> Any:
    """Break what the worker itself stands on."""
    os.close(1)
    logging.raiseExceptions = False
    import switchyard.agent.worker.results

    switchyard.agent.worker.results.INLINE = None  # type: ignore[assignment]
    return "x"


@dataclasses.dataclass
class Point:
    x: int = 1


class Colour(enum.Enum):
    RED = 1


def _holds_itself() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


def _nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    return value


#: What cannot be JSON, and part of what is said of it.
MISFITS: list[tuple[Any, str]] = [
    ([1, {2}], "result[1] is set, which is not JSON serializable; return sorted(...) or list(...) instead"),
    (
        {"a": {"b": datetime.date(2026, 1, 1)}},
        "result['a']['b'] is datetime.date, which is not JSON serializable; return .iso",
    ),
    ([Point()], "Point, which is not JSON serializable; return dataclasses.asdict(...) instead"),
    (Colour.RED, "return .value instead"),
    (b"x", "result is bytes"),
    ({"k": range(3)}, "return list(...) instead"),
    (decimal.Decimal(1), "return float(...) or str(...) instead"),
    (Path("/"), "return str(...)"),
    (numpy.datetime64("2026-01-01"), "return str(...) instead"),
    (numpy.longdouble(1), "return str(...) instead"),
    ([numpy.float32("nan")], "result[0] is nan"),
    ([float("inf")], "result[0] is inf"),
    ({"a": {(1, 2): 3}}, "a key of result['a'] is tuple; keys must be text"),
    ({numpy.int64(1): 3}, "a key of result is numpy.int64"),
    (_holds_itself(), "result[1] holds itself"),
    (_nested(), "nested too deeply"),
    (["a\0"], "result[0] holds a NUL character"),
    ({"a\0": 1}, "a key of result holds a NUL character"),
]
