"""The backend, where Django looks for it by the name in settings."""

from select import POLLIN, poll

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is asked for an answer only if the server has said something unasked: its end is told so."""

    def is_usable(self) -> bool:
        """Say whether the connection stands, once at the beginning of each request; a round trip would cost it a tenth."""
        if self.connection is None or self.connection.closed:
            return False
        said = poll()
        said.register(self.connection.fileno(), POLLIN)
        return not said.poll(0) or super().is_usable()
