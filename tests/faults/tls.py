"""TLS in front of a Redis that knows none: an end of it that relays to a Unix socket."""

import asyncio
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path


class TlsEnd(threading.Thread):
    """Listens on a free port of the loopback, with a certificate of its own."""

    def __init__(self, folder: Path, target: str) -> None:
        super().__init__(daemon=True)
        self.certificate, key = folder / "cert.pem", folder / "key.pem"
        options = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1")
        argv = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            *options,
            "-keyout",
            key,
            "-out",
            self.certificate,
        )
        subprocess.run(argv, check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serving = threading.Event()
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        with asyncio.Runner() as runner:
            self._ended, self._loop = asyncio.Event(), runner.get_loop()
            runner.run(self._serve())

    def start(self) -> None:
        super().start()
        self._serving.wait()

    def end(self) -> None:
        """Relay nothing more."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._relay, sock=self._listener, ssl=self._context)
        self._serving.set()
        await self._ended.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()
