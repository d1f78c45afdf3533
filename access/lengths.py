"""Bodies whose length is not told beforehand (`Transfer-Encoding: chunked`), as some clients send files.

Django reads only as much as `Content-Length` says, nothing without it; so these are gathered and measured before.
"""

from collections.abc import Callable, Iterable, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
MIB = 1024 * 1024
PIECE = 64 * 1024


def measuring(application: Application) -> Application:
    """Return the application with the length of every body told to it."""

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not _is_unmeasured(environ):
            return application(environ, start_response)
        with SpooledTemporaryFile(max_size=MIB) as body:
            length = _gather(environ["wsgi.input"], body)
            return application(environ | {"wsgi.input": body, "CONTENT_LENGTH": str(length)}, start_response)

    return respond


def declared(meta: Mapping[str, Any]) -> int:
    """Return the length that a request says its body has."""
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _is_unmeasured(environ: dict[str, Any]) -> bool:
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def _gather(sent: IO[bytes], body: IO[bytes]) -> int:
    """Copy a body and return its length; one that is too large only so far that it is seen to be."""
    length = 0
    while length <= settings.LARGEST_BODY and (piece := sent.read(PIECE)):
        length += body.write(piece)
    body.seek(0)
    return length
