"""Uploads: one file of a multipart body, written aside as it comes. It has no name, so that nothing of it is ever left."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from switchyard.scheduling.errors import SwitchyardError

PIECE = 256 * 1024


class NotOneFile(SwitchyardError):
    """A body that is no form of a single file."""


@dataclass
class Upload:
    """A file that came: its name without folders, its bytes, their number and their digest."""

    name: str
    file: IO[bytes]
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class _Aside(FileUploadHandler):
    """Writes the first file aside, and counts the others."""

    chunk_size = PIECE

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self.found: list[Upload] = []
        self._file = file

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.found.append(Upload(self.file_name or "", self._file))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if len(self.found) == 1:
            upload = self.found[0]
            upload.file.write(raw_data)
            upload.digest.update(raw_data)
            upload.size += len(raw_data)

    def file_complete(self, file_size: int) -> None:
        return None


class _Body:
    """The body of a request, of which the parser reads pieces alone, also at its end: a body has no lines."""

    def __init__(self, request: HttpRequest) -> None:
        self.read = request.read


@contextmanager
def receive(request: HttpRequest, most: int) -> Iterator[Upload]:
    """Give the file that a request brings, whose body was opened in pieces; raises NotOneFile, or NotRead as it comes."""
    with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
        handler = _Aside(file)
        # A body in chunks says no length, of which the parser would read nothing.
        meta = {**request.META, "CONTENT_LENGTH": request.META.get("CONTENT_LENGTH") or str(most)}
        try:
            body: Any = _Body(request)
            fields, _ = MultiPartParser(meta, body, [handler], "utf-8").parse()
        except (MultiPartParserError, SuspiciousOperation, UnicodeError, ValueError) as error:
            raise NotOneFile(f"The body must be a form (multipart/form-data) with one file: {error}") from error
        if fields:
            raise NotOneFile(f"Received unknown attribute {next(iter(fields)):.60}.")
        if len(handler.found) != 1:
            raise NotOneFile(f"Exactly 1 file must be sent, received {len(handler.found)}.")
        file.flush()
        file.seek(0)
        yield handler.found[0]
