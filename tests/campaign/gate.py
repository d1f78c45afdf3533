"""A gate between one agent and its servers: a TCP relay that can hold back what goes one way, the other, or both."""

import socket
import threading
from contextlib import suppress
from pathlib import Path


class Gate:
    """Listens on a free port of the loopback and relays to a TCP port or a Unix socket.

    While it is shut, what was sent waits, as in a network that loses packets: nothing is refused, nothing is lost for good.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._open = {"up": threading.Event(), "down": threading.Event()}
        self.heal()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *directions: str) -> None:
        """Hold back what goes `up`, from the agent, or `down`, to it."""
        for direction in directions:
            self._open[direction].clear()

    def heal(self) -> None:
        """Let everything through."""
        for passing in self._open.values():
            passing.set()

    def close(self) -> None:
        """Accept nothing more."""
        self.heal()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        threading.Thread(target=self._pass, args=(server, client, "down"), daemon=True).start()
        self._pass(client, server, "up")

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        return server

    def _pass(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        passing = self._open[direction]
        with suppress(OSError):
            while data := source.recv(1 << 16):
                passing.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
