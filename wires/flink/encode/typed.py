"""The shapes for the Java clients of 1.5 to 1.9: their classes refuse any key of a later release. Pure."""

from typing import Any

Shape = dict[str, Any]
_NODE = ("totalResource", "freeResource", "memoryConfiguration")
_PLACE = ("endpoint", "taskmanager-id")


def config(new: Shape) -> Shape:
    """Return the settings with the one feature that 1.9 asks for."""
    return new | {"features": {"web-submit": new["features"]["web-submit"]}}


def job(new: Shape) -> Shape:
    """Return a job in full."""
    vertices = [without(vertex, "maxParallelism") for vertex in new["vertices"]]
    return without(new, "maxParallelism") | {"vertices": vertices}


def subtask(new: Shape) -> Shape:
    """Return a subtask in the list of its vertex."""
    return without(new, *_PLACE)


def by_node(new: Shape) -> Shape:
    """Return the sums of a vertex by node."""
    return new | {"taskmanagers": [subtask(each) for each in new["taskmanagers"]]}


def node(new: Shape) -> Shape:
    """Return a node."""
    return without(new, *_NODE)


def nodes(new: Shape) -> Shape:
    """Return all nodes."""
    return new | {"taskmanagers": [node(each) for each in new["taskmanagers"]]}


def checkpoint(new: Shape) -> Shape:
    """Return a checkpoint, or what a subtask has of it."""
    return without(new, "className")


def checkpoints(new: Shape) -> Shape:
    """Return the overview of a job's checkpoints."""
    latest = {name: row and checkpoint(row) for name, row in new["latest"].items()}
    return new | {"latest": latest, "history": [checkpoint(row) for row in new["history"]]}


def checkpoint_subtasks(new: Shape) -> Shape:
    """Return a vertex of a checkpoint."""
    return new | {"subtasks": [checkpoint(each) for each in new["subtasks"]]}


def without(new: Shape, *names: str) -> Shape:
    """Return an object without these keys."""
    return {name: value for name, value in new.items() if name not in names}
