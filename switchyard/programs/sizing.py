"""The parallelism that is asked for, in a job that does not say where it belongs."""

from typing import Any

PARALLELISM = "parallelism"


def with_parallelism(job: dict[str, Any], parallelism: int | None) -> dict[str, Any]:
    """Make this the parallelism of the stages that say nothing of their own."""
    if parallelism is None or not isinstance(job.get("stages"), list):
        return job
    stages = [
        {**each, PARALLELISM: parallelism} if isinstance(each, dict) and not {PARALLELISM, "foreach"} & each.keys() else each
        for each in job["stages"]
    ]
    return {**job, "stages": stages}
