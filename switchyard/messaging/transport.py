"""How Celery is used, on both sides: transport alone. Nothing here knows what the messages mean."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import structlog
from celery import Celery, Task
from celery.worker.consumer import Consumer
from kombu import Message, Producer, uuid
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES, redis
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from switchyard.messaging import encoding

log = structlog.get_logger()
#: Celery's message protocol 2 for a task without options (https://docs.celeryq.dev/en/stable/internals/protocol.html).
#: `send_task` would add what it finds in the settings and write the arguments twice, for three times the time.
HEADERS = {
    "lang": "py",
    "retries": 0,
    "eta": None,
    "expires": None,
    "group": None,
    "timelimit": [None, None],
    "parent_id": None,
    "argsrepr": "",
    "kwargsrepr": "",
    "origin": "",
    "ignore_result": True,
}
#: Commands to the broker of one round trip; a message takes up to three.
BATCH = 300
#: Messages that a queue holds, the newest, and seconds that it holds them: what nobody takes is sent again or was a hint.
MOST = 10_000
KEPT = 3600
#: What goes wrong between this process and the broker.
FAILURES = (KombuError, RedisError, OSError)
#: Seconds between bounding a queue, and how many queues a channel remembers this of.
BOUND_EVERY, BOUNDED = 1.0, 1000
NOTHING_FOLLOWS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class Channel(redis.Channel):
    """A channel that sends with one client; kombu makes one for each message, which takes longer than sending it."""

    from_transport_options = (*redis.Channel.from_transport_options, "added_to")
    #: Queues that this process may add to and nothing else; their consumer bounds them.
    added_to: Collection[str] = ()

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        batch = kwargs.get("_publish_batch")
        if batch is not None and queue not in self.added_to and self._is_to_be_bounded(queue):
            batch.add("ltrim", queue, 0, MOST - 1)
            batch.add("expire", queue, KEPT)

    def _is_to_be_bounded(self, queue: str) -> bool:
        """Say whether it is time to bound a queue: doing so with each message takes twice the time of the message."""
        now = time.monotonic()
        if now - self._bounded.get(queue, -math.inf) < BOUND_EVERY:
            return False
        if len(self._bounded) > BOUNDED:
            self._bounded.clear()
        self._bounded[queue] = now
        return True

    @cached_property
    def _bounded(self) -> dict[str, float]:
        """When queues were bounded last."""
        return {}

    def _queue_bind(self, *_: Any) -> None:
        """Keep no list of queues at the broker: a message names its queue."""

    @contextmanager
    def conn_or_acquire(self, client: Redis | None = None) -> Iterator[Redis]:
        yield client or self._sender

    @cached_property
    def _sender(self) -> Redis:
        return self._create_client()  # type: ignore[attr-defined, no-any-return]  # not in the stubs


class Transport(redis.Transport):
    """Kombu's transport over Redis, with the channels above."""

    Channel = Channel


TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport")


class Unanswered(Task[Any, Any]):
    """The kind of all tasks here: they hand over what they got and tell nobody."""

    Strategy = "switchyard.messaging.transport:at_once"

    def __call__(self, payload: str) -> None:
        """Read the payload, which travels as a text of its own: kombu would look at each object in it."""
        self.run(encoding.decode(payload))


def at_once(task: Task[Any, Any], _app: Celery, _consumer: Consumer) -> Callable[..., None]:
    """Make what Celery calls for each message of a task: it runs where the message was read, and the broker is not told.

    The message was taken off its queue for good, and what it said comes again if need be. Celery's own strategy makes a
    request, reserves, traces and answers it: several times what there is to do here.
    """

    def handle(message: Message, *_: object) -> None:
        # Outside: what cannot be decoded at all is Celery's to drop.
        payload = message.payload
        try:
            [text], _, _ = payload
            task(text)
        except Exception:
            log.exception("message not understood", task=task.name)

    return handle


def broker_url(redis_url: str) -> str:
    """Return kombu's spelling of a redis-py URL: a Unix socket reads `redis+socket://` there."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = dict(item.split("=", 1) for item in parts.query.split("&") if item).get("db", "0")
    login = parts.netloc and f"{parts.netloc.removesuffix('@')}@"
    return f"redis+socket://{login}{parts.path}?virtual_host={database}"


def logged_in(redis_url: str, name: str, password: str) -> str:
    """Return the same place with the credentials of a user; both are made of characters that need no quoting."""
    scheme, place, *rest = urlsplit(redis_url)
    return urlunsplit((scheme, f"{name}:{password}@{place.rpartition('@')[2]}", *rest))


def has_login(redis_url: str) -> bool:
    """Say whether the address has credentials in it."""
    return "@" in urlsplit(redis_url).netloc


def reach(redis_url: str) -> None:
    """Ask the broker for an answer; raises RedisError, and of those AuthenticationError for a wrong password, or none."""
    with Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=5) as client:
        client.ping()


def celery_settings() -> dict[str, Any]:
    """Return the settings that both Celery apps share: JSON only, no results, no events, bounded waits."""
    return {
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "worker_prefetch_multiplier": 64,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # switchyard.messaging.consumer tries again, sooner than Celery does.
        "broker_connection_retry": False,
        "broker_connection_retry_on_startup": False,
        "broker_transport_options": {
            "socket_timeout": 5,
            "socket_connect_timeout": 1,
            "max_retries": 1,
            "interval_start": 0,
            "interval_max": 0.1,
            # Messages are taken off their queues for good, and have no priorities: no other key is needed.
            "ack_emulation": False,
            "priority_steps": [0],
        },
        "task_publish_retry": False,
        "broker_pool_limit": 4,
        "enable_utc": True,
    }


def hurry(app: Celery, seconds: float) -> None:
    """Let a process that has people waiting wait no longer than this for the broker; it must not consume."""
    app.conf.broker_transport_options |= {"socket_timeout": seconds, "socket_connect_timeout": seconds}


def only_add(app: Celery, queues: Collection[str]) -> None:
    """Let a process touch these queues by adding to them alone."""
    app.conf.broker_transport_options |= {"added_to": queues}


def send(app: Celery, task: str, payload: Any, queue: str) -> bool:
    """Send one message now; say whether the broker took it. Nothing depends on its arrival."""
    return send_all(app, task, [(payload, queue)])


def send_all(app: Celery, task: str, messages: Sequence[tuple[Any, str]]) -> bool:
    """Send messages, each a payload and its queue, in one round trip; say whether the broker took them."""
    try:
        with app.producer_pool.acquire(block=True, timeout=1) as producer, producer.batch(max_size=BATCH):  # type: ignore[attr-defined]  # newer than its stubs
            for payload, queue in messages:
                _publish(producer, task, payload, queue)
    except FAILURES as error:
        log.warning("message not sent", task=task, error=str(error))
        return False
    return True


@contextmanager
def client(app: Celery) -> "Iterator[Redis]":
    """Give a client of the broker, from those that messages are sent with."""
    with app.producer_pool.acquire(block=True, timeout=1) as producer:
        channel: Any = producer.channel
        with channel.conn_or_acquire() as connected:
            yield connected


def is_locked_out(app: Celery) -> bool:
    """Say whether the broker answers, and does not accept the name or the password."""
    try:
        with client(app) as connected:
            connected.ping()
    except FAILURES as error:
        return isinstance(error, AuthenticationError) or isinstance(error.__cause__, AuthenticationError)
    return False


def waiting(app: Celery, queues: Sequence[str]) -> list[int]:
    """Return how many messages wait in each queue; as many as it holds where the broker does not say."""
    try:
        with client(app) as connected, connected.pipeline(transaction=False) as asked:
            for queue in queues:
                asked.llen(queue)
            return list(asked.execute())
    except FAILURES as error:
        log.warning("queues not looked at", error=str(error))
        return [MOST] * len(queues)


def delete(app: Celery, queues: Sequence[str]) -> None:
    """Delete queues that nobody will consume any more; where the broker does not answer, they expire."""
    try:
        with client(app) as connected:
            connected.delete(*queues)
    except FAILURES as error:
        log.warning("queues not deleted", error=str(error))


def _publish(producer: Producer, task: str, payload: Any, queue: str) -> None:
    id_ = uuid()
    producer.publish(
        ([encoding.encode(payload)], {}, NOTHING_FOLLOWS),
        exchange="",
        routing_key=queue,
        serializer="json",
        headers={**HEADERS, "task": task, "id": id_, "root_id": id_},
        correlation_id=id_,
    )
