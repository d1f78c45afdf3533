"""Metrics: what /metrics tells. Figures of the cluster are read from rows at each call; those of HTTP are this process's own.

Labels are states, pools, nodes and resources: never jobs, tasks or users.
"""

from collections.abc import Iterable, Iterator

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from access.roles import Role
from access.rules import requires
from jobs.reading import selectors
from jobs.reading.totals import summary as jobs_summary
from jobs.telemetry import gauges
from nodes.reading import STATES, resources_by_node, scheduler
from nodes.totals import summary as nodes_summary
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HINT_QUEUE, REPORT_QUEUE
from switchyard.scheduling.lifecycle.states import JobState

REDIS_SECONDS = 0.5
QUEUES = (REPORT_QUEUE, HINT_QUEUE, HEARTBEAT_QUEUE)
Families = Iterator[Metric]


@requires(Role.VIEWER)
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell all metrics in Prometheus's text format."""
    cluster = CollectorRegistry()
    cluster.register(Cluster())
    text = generate_latest(cluster) + generate_latest(REGISTRY)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


class Cluster(Collector):
    """Reads the rows when it is asked."""

    def collect(self) -> Iterable[Metric]:
        yield from _jobs()
        yield from _queues()
        yield from _nodes()
        yield from _scheduler()
        yield from _recorded()
        yield from _broker()

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that registering reads no rows."""
        return ()


def _jobs() -> Families:
    found = jobs_summary()
    jobs = {state.name: found.jobs.get(state.name, 0) for state in JobState}
    tasks = {state: number for state, number in found.tasks.items() if state != "total"}
    yield _by("jobs", "Jobs by state.", "state", jobs)
    yield _by("tasks", "Tasks of live jobs by state.", "state", tasks)
    yield _one("jobs_held", "Live jobs that are held with a reason.", found.held)


def _queues() -> Families:
    waiting = gauges.waiting()
    yield _by("queue_tasks", "Tasks that wait for room.", "pool", {each.pool: each.tasks for each in waiting})
    ages = {each.pool: each.oldest_seconds for each in waiting}
    yield _by("queue_oldest_seconds", "Age of the oldest job with tasks that wait for room.", "pool", ages)
    listed, held = gauges.listed()
    yield _one("placed_tasks", "Tasks on the lists of nodes.", listed)
    yield _one("held_tasks", "Tasks that hold resources of a node.", held)


def _nodes() -> Families:
    found = nodes_summary()
    yield _by("nodes", "Nodes by state.", "state", {state: found.nodes.get(state, 0) for state in STATES})
    total = GaugeMetricFamily("switchyard_node_resource_total", "What a node has.", labels=["node", "resource"])
    held = GaugeMetricFamily("switchyard_node_resource_held", "What of it is held.", labels=["node", "resource"])
    for node, resource, has, holds in resources_by_node():
        total.add_metric([node, resource], has)
        held.add_metric([node, resource], holds)
    yield total
    yield held


def _scheduler() -> Families:
    leader = selectors.leader()
    yield _one("scheduler_paused", "1 while the scheduler is paused.", scheduler()["paused"])
    yield _one("leader_alive", "1 while a scheduler worker leads.", leader.alive)
    yield _one("broker_delivers", "1 while messages reach the leader through the broker.", not leader.broker)
    yield _one("leader_epoch", "How many times the lead was taken.", leader.epoch)


def _recorded() -> Families:
    """Tell what the leader recorded."""
    found, names = gauges.recorded(), gauges.Name
    ((_, placed),) = found[names.PLACEMENTS][""].buckets
    yield CounterMetricFamily("switchyard_placements", "Tasks placed on nodes, those of later attempts included.", placed)
    for name, text, *labels in (
        (names.ROUND, "Time of a scheduling round that had tasks to place."),
        (names.LAG, "Time from a report's arrival at the scheduler until it was applied."),
        (names.PLANNING, "Time to plan and store a job at its submission, counted when it ends."),
        (names.JOB, "Time from a job's submission to its end, by how it ended.", "state"),
    ):
        family = HistogramMetricFamily(f"switchyard_{name}", text, labels=labels)
        for label, one in found[name].items():
            family.add_metric([label] if labels else [], [(_bound(le), n) for le, n in one.buckets], one.sum)
        yield family


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


def _broker() -> Families:
    """Tell how much waits in the broker; without a broker, nothing."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            lengths = {queue: client.llen(queue) for queue in QUEUES}
    except redis.RedisError:
        return
    yield _by("broker_messages", "Messages that wait in the broker.", "queue", lengths)


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"switchyard_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(f"switchyard_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
