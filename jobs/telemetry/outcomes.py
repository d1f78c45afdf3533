"""Outcomes: ended attempts by node, job type and outcome, in blocks of five minutes; and rates since the last survey.

Nothing is counted task by task. A second of it may be lost.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from database import rows
from switchyard.messaging.messages import Report
from switchyard.scheduling.failing import category
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.retry import ExitClass

COMPLETED = "completed"
BLOCK = 300
#: The block of a moment, as a statement has it.
OF_BLOCK = f"to_timestamp(floor(extract(epoch FROM now() - %s * interval '1 second') / {BLOCK}) * {BLOCK})"


@dataclass(slots=True)
class Tally:
    """What the leader counted since it was last written, or looked at."""

    updates: int = 0
    heartbeats: int = 0
    nodes_sent_tasks: int = 0
    launched: int = 0
    finished: int = 0
    _ends: Ends = field(default_factory=Counter)
    #: Attempts by node and stage that an agent told the end of, which it does only once it has cleaned up after them.
    _cleaned: Counter[tuple[int, int]] = field(default_factory=Counter)

    def report(self, reports: Iterable[Report], ends: Ends, begun: int) -> None:
        """Count what reports told, the ends that came of it, and how many tasks have begun."""
        self.launched += begun
        for report in reports:
            self.updates += len(report.others)
            self.updates += sum(len(group.indexes) for group in report.finished)
            self.updates += sum(len(indexes) for _, _, indexes, _ in report.starts)
        self.finished += ends.total()
        self._ends.update(ends)
        for (node, stage, failure), count in ends.items():
            if failure is None or failure.exit_class is not ExitClass.LOST:
                self._cleaned[node, stage] += count

    def place(self, nodes: int) -> None:
        """Count the nodes that were sent tasks."""
        self.nodes_sent_tasks += nodes

    def write(self) -> None:
        """Add the ends to the rows; what cannot be written is forgotten."""
        ends, self._ends = self._ends, Counter()
        write(ends)

    def take_cleaned(self) -> dict[int, int]:
        """Return how many working folders were cleaned on each node since the last time; only commands have their own."""
        cleaned, self._cleaned = self._cleaned, Counter()
        commands = _commands({stage for _, stage in cleaned})
        found: Counter[int] = Counter()
        for (node, stage), count in cleaned.items():
            found[node] += count * (stage in commands)
        return +found

    def take(self) -> dict[str, int]:
        """Return what was counted since the last time, and begin anew."""
        taken = {
            "task_updates": self.updates,
            "heartbeats": self.heartbeats,
            "nodes_sent_tasks": self.nodes_sent_tasks,
            "tasks_launched": self.launched,
            "tasks_finished": self.finished,
        }
        self.updates = self.heartbeats = self.nodes_sent_tasks = self.launched = self.finished = 0
        return taken


def write(ends: Ends) -> None:
    """Add ends to the rows of the present block; those of deleted jobs count no more."""
    ends = Counter({key: count for key, count in ends.items() if count})
    if not ends:
        return
    tables = _tables([stage for _, stage, failure in ends if failure])
    counted: Counter[tuple[int, int, str]] = Counter()
    for (node, stage, failure), count in ends.items():
        counted[node, stage, category(failure, tables.get(stage, {})) if failure else COMPLETED] += count
    rows.execute(
        f"""INSERT INTO jobs_ended AS e (node_id, job_type_id, block, outcome, count)
        SELECT c.node, j.job_type_id, {OF_BLOCK}, c.outcome, sum(c.count)
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[]) AS c(node, stage, outcome, count)
        JOIN jobs_stage s ON s.id = c.stage JOIN jobs_job j ON j.id = s.job_id GROUP BY 1, 2, 3, 4
        ON CONFLICT (node_id, job_type_id, block, outcome) DO UPDATE SET count = e.count + excluded.count""",
        [0, *rows.columns(((*key, count) for key, count in counted.items()), 4)],
    )


def _commands(stages: Collection[int]) -> set[int]:
    """Return which of these stages run commands."""
    if not stages:
        return set()
    found = rows.fetch("SELECT id FROM jobs_stage WHERE id = ANY(%s) AND spec ->> 'python' IS NULL", [list(stages)])
    return {id_ for (id_,) in found}


def _tables(stages: Sequence[int]) -> dict[int, Mapping[str, str]]:
    """Return what the types of these stages' jobs say of failures."""
    if not stages:
        return {}
    return {
        stage: json.loads(table)
        for stage, table in rows.fetch(
            """SELECT s.id, t.failure_categories::text FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
            JOIN jobs_jobtype t ON t.id = j.job_type_id WHERE s.id = ANY(%s) AND t.failure_categories <> '{}'""",
            [list(stages)],
        )
    }
