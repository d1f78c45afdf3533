"""Answers in pieces: however long they are, little of them is held at a time."""

from collections.abc import Iterator
from itertools import chain

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from artifacts.storage import storage

#: Characters up to which an answer is sent as a whole.
AT_ONCE = 512 * 1024


def in_pieces(pieces: Iterator[str | bytes]) -> HttpResponseBase:
    """Answer with a JSON text: as a whole if it is short, so that no thread waits for its reader."""
    first, size = [], 0
    for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size > AT_ONCE:
            return StreamingHttpResponse(chain(first, pieces), content_type="application/json")
    return HttpResponse(first, content_type="application/json")


def as_file(digest: str, name: str = "") -> HttpResponseBase:
    """Answer with an artifact; as a download if it has a name. Raises NoSuchArtifact."""
    headers = {"Content-Length": str(storage().size(digest)), "X-Content-Type-Options": "nosniff"}
    disposition = content_disposition_header(as_attachment=True, filename=name) if name else None
    headers |= {"Content-Disposition": disposition} if disposition else {}
    return StreamingHttpResponse(storage().pieces(digest), content_type="application/octet-stream", headers=headers)
