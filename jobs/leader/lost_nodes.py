"""Silent and dead nodes: apply the rules of lifecycle.lost_nodes, so that no job blocks others."""

from collections.abc import Iterable
from functools import partial

from database import rows
from jobs.leader.bisect import hold, isolate_jobs
from jobs.store.lost_nodes import LEFT
from jobs.store.records import RECORDS
from nodes.conditions import BROKER_AWAY
from nodes.trust import TRUSTED, note_untrusted
from switchyard.scheduling.lifecycle import lost_nodes
from switchyard.scheduling.lifecycle.lost_nodes import Ended

end_session = partial(lost_nodes.end_session, RECORDS)
give_up = partial(lost_nodes.give_up, RECORDS)


def hear(nodes: Iterable[tuple[int, str, str]]) -> set[str]:
    """Note signs of life that came by the broker, given as (node, session, figures as JSON text).

    Return the sessions that are their nodes'. An agent of any other must not be told that it is heard: it is to register.
    """
    values = rows.columns(nodes, 3)
    rows.execute("DELETE FROM nodes_condition WHERE name = %s AND node_id = ANY(%s::bigint[])", [BROKER_AWAY, values[0]])
    heard = rows.fetch(
        f"""UPDATE nodes_node n SET heard_at = now(),
            figures = CASE WHEN n.{LEFT} THEN n.figures ELSE c.figures::jsonb END
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS c(id, session, figures)
        WHERE n.id = c.id AND n.session = c.session AND {TRUSTED} RETURNING n.session""",
        values,
    )
    return {session for (session,) in heard}


def watch_nodes(*, listening: float, epoch: int) -> None:
    """Mark nodes silent or heard again, and end sessions that were silent for too long, replaced, or ended by their agent.

    `listening` is for how many seconds the caller has been able to hear.
    """
    note_untrusted()
    silent, back, ended = lost_nodes.judge(RECORDS, listening)
    lost_nodes.mark(RECORDS, silent, epoch=epoch, silent=True)
    lost_nodes.mark(RECORDS, back, epoch=epoch, silent=False)
    for each in ended:
        _end(each, epoch)


def _end(ended: Ended, epoch: int) -> None:
    """End a session; a job of which nothing can be given up is held, and its tasks stay on the list meanwhile."""
    end = partial(end_session, ended.node, epoch=epoch, kept=ended.kept, blaming=ended.blaming, only=ended.only)
    isolate_jobs(lambda jobs: end(jobs=jobs), lambda: sorted({job for _, job in RECORDS.on_list(ended.node)}), hold)
