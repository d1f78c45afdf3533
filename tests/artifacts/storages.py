"""The storages that tests hold to the same answers: a folder, and file systems of fsspec."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import fsspec

from artifacts.folder import Folder
from artifacts.location import opened
from artifacts.remote import Remote
from artifacts.storage import Storage

KINDS = ("folder", "memory", "local", "s3")


@contextmanager
def made(kind: str, folder: Path) -> Iterator[Storage]:
    """Give an empty storage of a kind."""
    if kind == "folder":
        yield Folder(folder)
    elif kind == "s3":
        with s3() as url:
            yield Remote(*opened(f"{url}/below/here"))
    else:
        (folder / "kept").mkdir()
        with fresh_memory():
            yield Remote(*opened(f"file://{folder}/kept" if kind == "local" else "memory://kept"))


@contextmanager
def fresh_memory() -> Iterator[None]:
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@contextmanager
def s3() -> Iterator[str]:
    """Give the URL of a new bucket of an S3-compatible server on this machine, which the environment names."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    # Its servers in one process have the same buckets.
    bucket = f"bucket-{secrets.token_hex(8)}"
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told = {"endpoint_url": f"http://127.0.0.1:{server.port}", "key": "k", "secret": "s"}
    try:
        with patch.dict(fsspec.config.conf, s3=told):
            fsspec.filesystem("s3", skip_instance_cache=True).mkdir(bucket)
            yield f"s3://{bucket}"
    finally:
        server.shutdown()
        thread.join()
