"""Messages arrive in order, and one that was taken leaves nothing behind at the broker."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import redis
from celery import Celery
from celery.worker import state

from switchyard.messaging import transport
from switchyard.messaging.consumer import CANARY_TASK, ENDED, Consumer, Hearing
from tests.agent.process import wait_until
from tests.brokers import Broker, own_broker

TASK, QUEUE, PATIENCE = "tests.take", "tests.queue", 20.0


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    # Consumers stop with their process, by a value of Celery's that is the whole process's.
    monkeypatch.setattr(state, "should_stop", None)
    app = app_on(redis_url)
    yield app
    app.close()


def test_messages_arrive_in_order_and_leave_nothing_at_the_broker(app: Celery, broker: redis.Redis) -> None:
    taken, consumer = consumed(app)
    for number in range(3):
        assert transport.send(app, TASK, {"number": number, "none": None}, QUEUE)
    assert [taken.get(timeout=PATIENCE) for _ in range(3)] == [{"number": number, "none": None} for number in range(3)]
    consumer.stop()
    assert not broker.exists("unacked", "unacked_index")
    left: list[Any] = broker.lrange(QUEUE, 0, -1)
    # A canary may have met the end of the consumer.
    assert {json.loads(message)["headers"]["task"] for message in left} <= {CANARY_TASK}


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
    taken, consumer = consumed(app)
    with app.producer_pool.acquire(block=True) as producer:
        for body in ([], [["no JSON"], {}, {}], {"args": 1}, [[1], {}, {}]):
            producer.publish(body, routing_key=QUEUE, serializer="json", headers={"task": TASK, "id": "1"})
        producer.publish(b"\xff{", routing_key=QUEUE, content_type="application/json", headers={"task": TASK, "id": "2"})
    transport.send(app, TASK, "refused by what takes it", QUEUE)
    transport.send(app, TASK, {"number": 1}, QUEUE)
    assert taken.get(timeout=PATIENCE) == {"number": 1}
    consumer.stop()


def test_a_consumer_knows_whether_messages_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "should_stop", None)
    with own_broker(tmp_path / "data") as broker, closing(app_on(broker.url)) as app:
        _, consumer = consumed(app)
        wait_until(lambda: consumer.hearing is Hearing.WHOLE)
        broker.refuse_writes()
        wait_until(lambda: consumer.hearing is Hearing.REFUSED)
        broker.mend()
        wait_until(lambda: consumer.hearing is Hearing.WHOLE)
        broker.client.acl_setuser("default", enabled=True, nopass=True, commands=["-brpop"])
        wait_until(lambda: consumer.hearing is Hearing.DEAF)
        broker.client.acl_setuser("default", enabled=True, nopass=True, commands=["+brpop"])
        wait_until(lambda: consumer.hearing is Hearing.WHOLE)
        consumer.stop()


def test_a_process_whose_consumer_ends_ends_with_it(redis_url: str, broker: redis.Redis) -> None:
    ends = """
import sys, time
from switchyard.messaging.consumer import ENDED, Consumer, Hearing
from tests.agent.test_transport import app_on
app = app_on(sys.argv[1])
app.WorkController = lambda **_: sys.exit("no more")
Consumer(app, ["tests.queue"])
time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", ends, redis_url], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == ENDED


def app_on(url: str) -> Celery:
    app = Celery("tests", broker=transport.broker_url(url), set_as_current=False, fixups=[])
    app.conf.update(transport.celery_settings())
    return app


def consumed(app: Celery) -> tuple[SimpleQueue[Any], Consumer]:
    """Return where the payloads of messages go that a consumer of the queue takes, and the consumer."""
    taken: SimpleQueue[Any] = SimpleQueue()

    @app.task(name=TASK, base=transport.Unanswered, shared=False)
    def take(payload: dict[str, Any]) -> None:
        taken.put(dict(payload))

    return taken, Consumer(app, [QUEUE], canary=0.05)


@pytest.mark.parametrize("refuse", [Broker.refuse_writes, Broker.become_a_replica, Broker.fill, Broker.fail_to_save])
def test_consuming_goes_on_after_the_broker_refused_for_a_while(
    refuse: Callable[[Broker], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "should_stop", None)
    with own_broker(tmp_path / "data") as broker, closing(app_on(broker.url)) as app:
        taken, consumer = consumed(app)
        transport.send(app, TASK, {"number": 1}, QUEUE)
        assert taken.get(timeout=PATIENCE) == {"number": 1}
        refuse(broker)
        with pytest.raises(redis.ResponseError):
            broker.client.lpush("other", 1)
        time.sleep(4)
        broker.mend()
        wait_until(lambda: transport.send(app, TASK, {"number": 2}, QUEUE))
        assert taken.get(timeout=PATIENCE) == {"number": 2}
        consumer.stop()


def test_a_queue_holds_the_newest_messages_and_not_for_ever(
    app: Celery, broker: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST", 3)
    with closing(app_on(redis_url)) as sender:
        transport.send(sender, TASK, 0, QUEUE)
        assert 0 < broker.ttl(QUEUE) <= transport.KEPT
        with monkeypatch.context() as patch:
            patch.setattr(transport, "BOUND_EVERY", 0)
            transport.send_all(sender, TASK, [(number, QUEUE) for number in range(1, 5)])
        assert transport.waiting(sender, [QUEUE, "no.such"]) == [3, 0]
        messages: list[Any] = broker.lrange(QUEUE, 0, -1)
        assert [payload_of(message) for message in messages] == [4, 3, 2]
        broker.persist(QUEUE)
        transport.send_all(sender, TASK, [(number, QUEUE) for number in range(5, 7)])
        assert broker.ttl(QUEUE) == -1, "it was bounded a moment ago"
        transport.delete(sender, [QUEUE])
    assert not broker.exists(QUEUE)


def payload_of(message: bytes) -> Any:
    body = json.loads(base64.b64decode(json.loads(message)["body"]))
    return json.loads(body[0][0])
