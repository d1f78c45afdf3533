"""Answers in pieces: however long they are, little of them is held at a time."""

import re
from collections.abc import Iterator
from itertools import chain

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from artifacts.storage import storage

#: Characters up to which an answer is sent as a whole.
AT_ONCE = 512 * 1024
#: A range of bytes, as `Range` names it.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def in_pieces(pieces: Iterator[str | bytes]) -> HttpResponseBase:
    """Answer with a JSON text: as a whole if it is short, so that no thread waits for its reader."""
    first, size = [], 0
    for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size > AT_ONCE:
            return StreamingHttpResponse(chain(first, pieces), content_type="application/json")
    return HttpResponse(first, content_type="application/json")


def as_file(request: HttpRequest, digest: str, name: str = "") -> HttpResponseBase:
    """Answer with an artifact, or with the range of it that is asked for; as a download if it has a name.

    A whole one whose bytes are not those of its digest is broken off before its end. Raises NoSuchArtifact.
    """
    size, tag = storage().size(digest), f'"{digest}"'
    begin, end = _range(request, size, tag)
    if begin >= end and size:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    whole = (begin, end) == (0, size)
    answer = StreamingHttpResponse(
        storage().pieces(digest) if whole else storage().pieces(digest, begin, end),
        status=200 if whole else 206,
        content_type="application/octet-stream",
        headers={
            "Content-Length": str(end - begin),
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "X-Content-Type-Options": "nosniff",
        },
    )
    if not whole:
        answer["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    disposition = content_disposition_header(as_attachment=True, filename=name) if name else None
    if disposition:
        answer["Content-Disposition"] = disposition
    return answer


def _range(request: HttpRequest, size: int, tag: str) -> tuple[int, int]:
    """Return which bytes are asked for: all, unless one range is named of the artifact that is meant."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if not found or request.headers.get("If-Range", tag) != tag or found.groups() == ("", ""):
        return 0, size
    low, high = found.groups()
    if not low:
        return max(0, size - int(high)), size
    return int(low), min(size, int(high) + 1) if high else size
