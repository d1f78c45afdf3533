"""TLS in front of a Redis that knows none: an end of it that relays to a Unix socket."""

import asyncio
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
        self._loop = asyncio.new_event_loop()
        serving = asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)
        self._server = self._loop.run_until_complete(serving)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def run(self) -> None:
        self._loop.run_forever()

    def end(self) -> None:
        """Relay nothing more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()
