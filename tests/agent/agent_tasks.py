"""What the tests of the agent have their workers run."""

import array
import fcntl
import math
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

from switchyard import task as tasks
from switchyard.agent.worker.pipes import ITEM
from switchyard.task import FAILED, Canceled, Task


def square(task: Task) -> int:
    return task.index**2


def add(left: int, right: int = 0) -> int:
    return left + right


def echo(value: Any, **more: Any) -> list[Any]:
    return [value, more]


def pid() -> int:
    return os.getpid()


def environment() -> dict[str, str]:
    return dict(os.environ)


def inputs(task: Task) -> dict[str, list[Any]]:
    return {name: ["FAILED" if one is FAILED else one for one in values] for name, values in task.inputs.items()}


def total(task: Task) -> int:
    return sum(sum(values) for values in task.inputs.values())


def shout(item: Any) -> Any:
    return [item, tasks.current().index]


def fail() -> None:
    raise KeyError("no such thing")


def nan() -> float:
    return math.nan


def not_json() -> object:
    return object()


def surrogate() -> str:
    return "\ud800"


def nul() -> str:
    return "a\0b"


def large(size: int) -> str:
    return "x" * size


def fill(size: int) -> None:
    """Write a file of so many bytes into the working folder."""
    with Path("big").open("wb") as file:
        file.write(bytes(size))


def leave(status: int) -> None:
    os._exit(status)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait(folder: str) -> str:
    """Say that it runs, then wait until it is told to go on."""
    here = Path(folder) / f"running-{tasks.current().index}"
    here.write_text(str(os.getpid()))
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)
    return "done"


def stubborn(folder: str) -> None:
    """Ignore what asks it to end, with a child that does so too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    (Path(folder) / "child").write_text(str(child.pid))
    (Path(folder) / "running-0").write_text(str(os.getpid()))
    time.sleep(1000)


def tidy(folder: str) -> None:
    try:
        wait(folder)
    except Canceled:
        (Path(folder) / "tidied").write_text(str(tasks.current().canceled))
        raise


def first_waits(task: Task, folder: str) -> int:
    if task.index == 0:
        wait(folder)
    return task.index


def speak(task: Task, text: str) -> None:
    print(text, task.index)
    print("error", task.index, file=sys.stderr)


def chatter(size: int) -> None:
    for number in range(size // 10):
        sys.stdout.write(f"{number:09d}\n")


def measured(task: Task, folder: str) -> None:
    task.progress(0.25)
    task.metric("rows", 3)
    task.accumulate("sum", 2)
    task.accumulate("sum", 3)
    wait(folder)
    task.progress(1)


def eat(folder: str) -> None:
    (Path(folder) / "running-0").write_text("")
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20)) * 8)
        time.sleep(0.01)


def sibling() -> str:
    from helper import word  # type: ignore[import-not-found]

    return f"{word} {Path('data.txt').read_text()}"


def freeze(pid: int, behind: int) -> int:
    """Have this task's agent stand still if this worker was handed so many tasks more by now; else fail."""
    held = [unread(int(fd.name)) for fd in Path("/proc/self/fd").iterdir()]
    assert behind * ITEM.size in held, "too soon, or so late that it was taken back"
    os.kill(pid, signal.SIGSTOP)
    return 1


def unread(fd: int) -> int:
    """Return how many bytes wait to be read."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.FIONREAD, count)
    except OSError:
        return 0
    return count[0]


def note(task: Task, folder: str) -> int:
    """Add up the inputs, and say so in a file."""
    (Path(folder) / "noted").write_text(str(total(task)))
    return total(task)


def gulp() -> None:
    """Take more memory at once than anybody who looks now and then could see."""
    memory = bytearray(1 << 30)
    memory[::4096] = b"x" * (1 << 18)


def print_when_told(folder: str) -> None:
    """Wait, and then print more than anything could buffer."""
    wait(folder)
    print("x" * 100_000)


def hand_on(task: Task) -> None:
    task.output("model").write_text("abc\n")


def read_files(task: Task) -> list[str]:
    return [path.read_text() for path in task.inputs_files["s1"]["model"]]
