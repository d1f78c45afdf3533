"""The Celery app of the reference: raw Celery as its documentation shows it, one message a task, JSON, nothing stored.

Its task appends its result to a Redis list, because without a result backend nothing else tells that it has run.
"""

import os

import redis
from celery import Celery

from switchyard.messaging.transport import broker_url

RESULTS = "bench.reference.results"
QUEUE = "bench.reference"
URL = os.environ["BENCH_REFERENCE_URL"]

app = Celery("reference", broker=broker_url(URL))
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)
_client = redis.Redis.from_url(URL)


@app.task
def square(index: int) -> None:
    """Leave a result where it can be counted."""
    _client.rpush(RESULTS, index * index)
