"""The resources of a machine, by psutil or by options."""

import os
from collections.abc import Sequence
from pathlib import Path

import psutil
import typer

WHOLE = 1000


def measure(
    folder: Path, *, slots: float | None, mem: int | None, disk: int | None, gpus: int, others: Sequence[str]
) -> dict[str, int]:
    """Return the totals: cpus and each GPU in thousandths, mem and disk in MiB, others as they are."""
    totals = {
        "cpus": round((os.cpu_count() or 1 if slots is None else slots) * WHOLE),
        "mem": psutil.virtual_memory().total >> 20 if mem is None else mem,
        "disk": psutil.disk_usage(str(folder)).free >> 20 if disk is None else disk,
    }
    totals |= {f"gpu{device}": WHOLE for device in range(gpus)}
    for text in others:
        name, _, amount = text.partition("=")
        if not name or not amount.isdigit():
            raise typer.BadParameter(f"--resource wants name=amount, not {text!r}")
        totals[name] = int(amount)
    return totals
