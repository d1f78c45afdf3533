"""This process, as it tells of itself: memory in bytes, time on processors, threads and where each of them stands."""

import sys
import threading
import traceback

import psutil


def figures() -> dict[str, int | float]:
    """Return what this process takes."""
    own = psutil.Process()
    with own.oneshot():
        memory, times = own.memory_info(), own.cpu_times()
        return {
            "rss": memory.rss,
            "vms": memory.vms,
            "cpu_seconds": times.user + times.system,
            "threads": own.num_threads(),
        }


def stacks() -> dict[str, str]:
    """Return the stack of each thread, without values, by the thread's name."""
    frames = sys._current_frames()
    return {
        thread.name: "".join(traceback.format_stack(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread.ident in frames
    }
