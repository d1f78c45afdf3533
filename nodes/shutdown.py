"""Stop the installation on request of an admin, by the command in the settings."""

import os
import shlex

from django.conf import settings
from django.db import transaction

from access.commands import Done, command
from access.identifying import Identity
from nodes import events
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.events import Told


class NotFromHere(SwitchyardError):
    """This installation is stopped where it was started, not from here."""


@command("cluster.shutdown")
def shut_down(by: Identity) -> Done[None]:
    """Stop everything: agents end what runs within their grace and take nothing more, then the servers go."""
    if not settings.SHUTDOWN_COMMAND:
        raise NotFromHere
    events.record([Told("shutdown", f"The installation is shut down, as {by.name} asked.")])
    transaction.on_commit(_run)
    return Done(None, "cluster")


def _run() -> None:
    argv = shlex.split(settings.SHUTDOWN_COMMAND)
    nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    # In a session of its own, for it ends the process that starts it and that therefore does not wait for it.
    os.posix_spawnp(argv[0], argv, os.environ, file_actions=nothing, setsid=True)
