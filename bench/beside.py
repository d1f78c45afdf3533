"""Beside: a process of ours that runs while a block lasts, stopped by its own pid."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launch import commands
from launch.commands import Command
from launch.config import ROOT
from launch.processes import stop_in_order


@contextmanager
def running(name: str, argv: tuple[str, ...], env: Mapping[str, str], logs: Path) -> Iterator[None]:
    """Run Python with these arguments while the block lasts."""
    command = Command(name, (sys.executable, *argv), env, logs / f"{name}.log", ROOT, rank=1)
    child = commands.spawn(command, dies_with_parent=True)
    try:
        yield
    finally:
        if process := commands.running(child, command):
            stop_in_order([process])
        child.wait()
