"""Nodes that cannot run a stage, such as those without its interpreter. Its tasks are placed on others."""

import json

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.resources import Resources

#: Nodes that are named.
NAMED = 5


def avoid(work: UnitOfWork, stage: StageRow, node: int, why: str) -> str:
    """Place no more tasks of a stage on a node; return why no registered node is left for it, or nothing."""
    views = {view.id: view for view in work.records.views()}
    if node not in stage.excluded:
        stage.avoided = json.dumps({**json.loads(stage.avoided or "{}"), str(node): why})
        work.records.write_avoided(stage.id, stage.avoided)
        name = views[node].name if node in views else node
        text = f"Node {name} cannot run stage {stage.name}: {why}. Its tasks are placed on others, if there are any."
        work.told.append(Told("node_avoided", text, stage.job_id, node))
    if _is_one_left(work, stage, list(views.values())):
        return ""
    tried = [view.name for view in views.values() if view.id in stage.excluded]
    more = ", …" if len(tried) > NAMED else ""
    return f"no node can run it: {why} (tried: {', '.join(tried[:NAMED])}{more})"


def _is_one_left(work: UnitOfWork, stage: StageRow, views: list[NodeView]) -> bool:
    """Say whether some registered node may run the stage as far as is known, be it paused or silent now."""
    pool, constraints = work.records.requirements(stage.job_id)
    cluster = Cluster(views)
    could = cluster.could_hold(Resources(stage.demand))
    return any(
        fits and view.pool == pool and view.id not in stage.excluded and all(rule.admits(view.labels) for rule in constraints)
        for view, fits in zip(cluster.nodes, could.tolist(), strict=True)
    )
