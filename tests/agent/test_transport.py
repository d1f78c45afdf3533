"""Messages arrive in order, and one that was taken leaves nothing behind at the broker."""

import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
import redis
from celery import Celery
from celery.worker import state

from agent import transport

TASK, QUEUE, PATIENCE = "tests.take", "tests.queue", 20.0


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    # Consumers stop with their process, by a value of Celery's that is the whole process's.
    monkeypatch.setattr(state, "should_stop", None)
    app = Celery("tests", broker=transport.broker_url(redis_url), set_as_current=False, fixups=[])
    app.conf.update(transport.celery_settings())
    yield app
    app.close()


def test_messages_arrive_in_order_and_leave_nothing_at_the_broker(app: Celery, broker: redis.Redis) -> None:
    taken, stop = consumed(app)
    for number in range(3):
        assert transport.send(app, TASK, {"number": number, "none": None}, QUEUE)
    assert [taken.get(timeout=PATIENCE) for _ in range(3)] == [{"number": number, "none": None} for number in range(3)]
    stop()
    assert not broker.exists("unacked", "unacked_index", QUEUE)


def test_a_broker_that_hangs_costs_the_time_allowed_and_no_error(app: Celery, broker: redis.Redis) -> None:
    transport.hurry(app, 0.1)
    assert transport.send(app, TASK, 1, QUEUE)
    broker.client_pause(1_000)
    begun = time.monotonic()
    assert not transport.send(app, TASK, 2, QUEUE)
    assert time.monotonic() - begun < 0.9
    broker.client_unpause()
    assert transport.send(app, TASK, 3, QUEUE)


def test_messages_that_are_not_understood_do_not_keep_the_next_from_arriving(app: Celery) -> None:
    taken, stop = consumed(app)
    with app.producer_pool.acquire(block=True) as producer:
        for body in ([], [["no JSON"], {}, {}], {"args": 1}, [[1], {}, {}]):
            producer.publish(body, routing_key=QUEUE, serializer="json", headers={"task": TASK, "id": "1"})
        producer.publish(b"\xff{", routing_key=QUEUE, content_type="application/json", headers={"task": TASK, "id": "2"})
    transport.send(app, TASK, "refused by what takes it", QUEUE)
    transport.send(app, TASK, {"number": 1}, QUEUE)
    assert taken.get(timeout=PATIENCE) == {"number": 1}
    stop()


def consumed(app: Celery) -> tuple[SimpleQueue[Any], Callable[[], None]]:
    """Return where the payloads of messages go that a consumer of the queue takes, and what stops it."""
    taken: SimpleQueue[Any] = SimpleQueue()

    @app.task(name=TASK, base=transport.Unanswered, shared=False)
    def take(payload: dict[str, Any]) -> None:
        taken.put(dict(payload))

    return taken, transport.consume(app, [QUEUE])
