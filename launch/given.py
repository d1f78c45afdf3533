"""Servers of DATABASE_URL and REDIS_URL: check that they can be used, before anything starts.

Asks only; what is embedded stands in postgres and redis. Nothing here repeats an address, which may hold a password.
"""

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import redis

from launch.config import Config
from launch.errors import LaunchError
from launch.terminal import say

CONNECT_SECONDS = 5
OLDEST_POSTGRES = 14


def require(config: Config) -> None:
    """Refuse to start on a given server that does not answer or does not let us in, and say what to do."""
    _require("DATABASE_URL", config.database_url, _ask_database)
    _require("REDIS_URL", config.redis_url, _ask_redis)


def _require(name: str, url: str | None, ask: Callable[[str], None]) -> None:
    try:
        if url:
            ask(url)
    except (psycopg.Error, redis.RedisError, ValueError) as error:
        raise LaunchError(
            f"{name} cannot be used: {_first_line(error)}. Correct it, or leave it out: a server of our own then starts."
        ) from error


def _ask_database(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("it does not begin with postgresql://")
    if not parts.path.strip("/"):
        raise ValueError("it names no database, as postgresql://user:password@host:5432/database does")
    with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
        major = connection.info.server_version // 10_000
    if major < OLDEST_POSTGRES:
        raise ValueError(f"the server is PostgreSQL {major}, and {OLDEST_POSTGRES} is the oldest that will do")


def _ask_redis(url: str) -> None:
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("it does not begin with redis://, rediss:// or unix://")
    with redis.Redis.from_url(url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS) as client:
        client.ping()
        _note_users(client)


def _note_users(client: redis.Redis) -> None:
    """Say so where Redis makes no users for nodes (nodes.broker), which costs safety alone."""
    user = f"switchyard-probe-{secrets.token_hex(8)}"
    try:
        client.execute_command("ACL SETUSER", user, "reset", "(%W~x +lpush)")  # type: ignore[no-untyped-call]  # untyped
        client.acl_deluser(user)
    except redis.ResponseError as error:
        say(f"Redis makes no users for agents ({_first_line(error)}): all of them share the password of REDIS_URL,")
        say("and one whose token is revoked still has it (docs/operating.md, A Redis of your own).")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
