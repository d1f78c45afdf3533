"""The web from outside: is its port free, is the stack ready, is a node there.

How it is started stands in stack.
"""

import http.client
import json
import os
import socket
from collections.abc import Mapping

from launch.config import Config
from launch.errors import LaunchError

ANSWER_SECONDS = 2.0


def require_free_port(config: Config) -> None:
    """Refuse to start where another program already answers, and say what to do."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        with socket.create_server((config.host, config.port), family=family):
            return
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise LaunchError(
            f"{config.host}:{config.port} cannot be used ({reason}). Stop what uses it, or choose another: "
            f"make up PORT={config.port + 1}. Beside another Switchyard, choose a DATA_DIR as well."
        ) from error


def is_ready(url: str) -> bool:
    """Ask the web whether the stack is ready."""
    return _ask(url, "/readyz") is not None


def has_a_node(config: Config, token: str) -> bool:
    """Ask the web whether an agent has registered that would take work now."""
    answer = _ask(config.url, "/api/v1/nodes?state=READY", {"Authorization": f"Bearer {token}"})
    return bool(answer and json.loads(answer)["results"])


def _ask(url: str, path: str, headers: Mapping[str, str] | None = None) -> bytes | None:
    """Return what the web answers, None if it does not, or says no."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.read() if answer.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
