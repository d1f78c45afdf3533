"""Numbers of jobs and tasks by state, for overviews; from counters, never from the rows of tasks."""

from dataclasses import dataclass

from database import rows
from jobs.reading.jobs import named_counts
from switchyard.scheduling.lifecycle.states import TASK_PLACES, JobState


@dataclass(frozen=True, slots=True)
class Summary:
    """Jobs by the name of their state (those that there are), and the tasks of live jobs by theirs."""

    jobs: dict[str, int]
    tasks: dict[str, int]
    held: int


def summary() -> Summary:
    """Return the numbers of jobs and of live jobs' tasks by state, and of live jobs that are held."""
    counts = [0] * TASK_PLACES
    for state, tasks in rows.fetch(
        "SELECT c.state - 1, sum(c.tasks)::bigint FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id, "
        "unnest(s.counts) WITH ORDINALITY AS c(tasks, state) WHERE j.ended_at IS NULL GROUP BY 1"
    ):
        counts[state] = tasks
    ((held,),) = rows.fetch("SELECT count(*) FROM jobs_job WHERE ended_at IS NULL AND held_reason <> ''")
    return Summary(jobs_by_state(), named_counts(counts), held)


def jobs_by_state() -> dict[str, int]:
    """Return the numbers of jobs by the name of their state."""
    found = rows.fetch("SELECT state, count(*) FROM jobs_job GROUP BY 1 ORDER BY 1")
    return {JobState(state).name: number for state, number in found}
