"""The web, from outside: is its port free, does it say that the stack is ready.

How it is started stands in stack.
"""

import http.client
import os
import socket

from launch.config import Config
from launch.errors import LaunchError

ANSWER_SECONDS = 2.0


def require_free_port(config: Config) -> None:
    """Refuse to start where another program already answers, and say what to do."""
    try:
        with socket.create_server((config.host, config.port)):
            return
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise LaunchError(
            f"{config.host}:{config.port} cannot be used ({reason}). Stop what uses it, or choose another: "
            f"make up PORT={config.port + 1}. Beside another Switchyard, choose a DATA_DIR as well."
        ) from error


def is_ready(config: Config) -> bool:
    """Ask the web whether the stack is ready."""
    connection = http.client.HTTPConnection(config.url.removeprefix("http://"), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
