"""What the Python tasks of mixed.yaml do with the results of its commands."""

from switchyard.task import Task


def describe(task: Task) -> str:
    """Put the facts that the commands have fetched into a sentence."""
    system, release, machine = task.inputs["fetch"]
    return f"{system} {release} on {machine}"


def report(task: Task) -> dict[str, object]:
    """Return what both of the stages before have found."""
    return {"system": task.inputs["describe"][0], "checksum": task.inputs["sum"][0]}
