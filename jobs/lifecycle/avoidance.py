"""Nodes that cannot run a stage, such as those without its interpreter. Its tasks are placed on others."""

import json

from database import rows
from jobs.store.tables import JobRow, StageRow, read_constraints
from jobs.store.work import Board
from nodes import selectors
from nodes.events import Told
from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.resources import Resources

#: Nodes that are named.
NAMED = 5


def avoid(board: Board, stage: StageRow, node: int, why: str) -> str:
    """Place no more tasks of a stage on a node; return why no registered node is left for it, or nothing."""
    views = {view.id: view for view in selectors.ask_views()()}
    if node not in stage.excluded:
        stage.avoided = json.dumps({**json.loads(stage.avoided or "{}"), str(node): why})
        rows.execute("UPDATE jobs_stage SET avoided = %s::jsonb WHERE id = %s", [stage.avoided, stage.id])
        name = views[node].name if node in views else node
        text = f"Node {name} cannot run stage {stage.name}: {why}. Its tasks are placed on others, if there are any."
        board.told.append(Told("node_avoided", text, stage.job_id, node))
    if _is_one_left(board.job_of(stage.id), stage, list(views.values())):
        return ""
    tried = [view.name for view in views.values() if view.id in stage.excluded]
    more = ", …" if len(tried) > NAMED else ""
    return f"no node can run it: {why} (tried: {', '.join(tried[:NAMED])}{more})"


def _is_one_left(job: JobRow, stage: StageRow, views: list[NodeView]) -> bool:
    """Say whether some registered node may run the stage as far as is known, be it paused or silent now."""
    ((pool, stored),) = rows.fetch("SELECT pool, spec -> 'constraints' FROM jobs_job WHERE id = %s", [job.id])
    constraints = read_constraints(stored)
    cluster = Cluster(views)
    could = cluster.could_hold(Resources(stage.demand))
    return any(
        fits and view.pool == pool and view.id not in stage.excluded and all(rule.admits(view.labels) for rule in constraints)
        for view, fits in zip(cluster.nodes, could.tolist(), strict=True)
    )
