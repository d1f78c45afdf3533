"""Changes of a task to its process that a task of another job would see. Runs in workers.

Looked at where a worker changes jobs. Modules stay imported with what they hold, since other tasks brought the same files.
"""

import _locale
import _thread
import builtins
import decimal
import gc
import logging
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

STATUS = re.compile(rb"^(?:Umask|Uid|Gid|Groups|SigBlk|NoNewPrivs|Cpus_allowed):.*$", re.MULTILINE)
SIGNALS = sorted(signal.valid_signals())
TIMERS = signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF
LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})


def look() -> dict[str, Any]:
    """Return what is as it is now, to be compared; what a task has changed may also make this raise anything."""
    return {
        "descriptors": _descriptors(),
        "folders": _folders(Path.cwd()),
        "environment": dict(os.environ),
        "status": STATUS.findall(Path("/proc/self/status").read_bytes()),
        "handlers": [signal.getsignal(number) for number in SIGNALS],
        "timers": [signal.getitimer(timer) for timer in TIMERS],
        "limits": [resource.getrlimit(limit) for limit in LIMITS],
        "priority": (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
        "threads": _thread._count(),  # The module threading does not know all of them
        "interpreter": _interpreter(),
        "modules": _modules(),
    }


def _descriptors() -> dict[int, tuple[int, int]]:
    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - half the time
        try:
            opened = os.fstat(int(name))
        except OSError:
            continue  # That of the listing itself.
        found[int(name)] = (opened.st_dev, opened.st_ino)
    return found


def _folders(root: Path) -> dict[str, int]:
    """Return when something was made or removed in each folder; worker.files looks at what files of the job hold."""
    return {path: Path(path).stat().st_mtime_ns for path, _, _ in os.walk(root)}


def _interpreter() -> list[Any]:
    settings = [sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode, list(sys.path), list(sys.argv)]
    hooks = [sys.stdin, sys.excepthook, sys.unraisablehook, threading.excepthook, sys.gettrace(), sys.getprofile()]
    return [*settings, *hooks, dict(vars(builtins)), sys.get_int_max_str_digits(), gc.isenabled(), gc.get_threshold()]


def _modules() -> list[Any]:
    """Return what some of Python's own modules hold for the whole process."""
    numbers, logs = decimal.getcontext(), logging.root
    return [
        (numbers.prec, numbers.rounding, numbers.Emin, numbers.Emax, numbers.capitals, numbers.clamp, dict(numbers.traps)),
        (logs.level, logs.manager.disable, list(logs.handlers)),
        [each for each in warnings.filters if each[0] == "error"],
        _locale.setlocale(_locale.LC_ALL),
        (time.tzname, socket.getdefaulttimeout()),
    ]
