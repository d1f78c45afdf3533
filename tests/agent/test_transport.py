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


def consumed(app: Celery) -> tuple[SimpleQueue[Any], Callable[[], None]]:
    """Return where the payloads of messages go that a consumer of the queue takes, and what stops it."""
    taken: SimpleQueue[Any] = SimpleQueue()

    @app.task(name=TASK, base=transport.Unanswered)
    def take(payload: Any) -> None:
        taken.put(payload)

    return taken, transport.consume(app, [QUEUE])
