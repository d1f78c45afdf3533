"""Bodies whose length is not told beforehand reach the views whole, and too large ones are refused."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pytest_django import Settings

from access.lengths import PIECE, measuring


class Seen:
    """An application that keeps what it is handed."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.length = environ.get("CONTENT_LENGTH")
        self.body = environ["wsgi.input"].read()
        return []


def seen(sent: Any, **headers: str) -> Seen:
    application = Seen()
    measuring(application)({"wsgi.input": sent, **headers}, lambda *_: None)
    return application


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 1])
def test_a_body_in_pieces_is_measured(size: int) -> None:
    found = seen(io.BytesIO(b"x" * size), HTTP_TRANSFER_ENCODING="Chunked")
    assert (found.length, found.body) == (str(size), b"x" * size)


def test_a_body_of_known_length_is_left_alone() -> None:
    found = seen(io.BytesIO(b"abc"), CONTENT_LENGTH="2")
    assert (found.length, found.body) == ("2", b"abc")


def test_no_more_is_gathered_than_shows_that_it_is_too_large(settings: Settings) -> None:
    settings.LARGEST_BODY = PIECE
    sent = io.BytesIO(b"x" * PIECE * 10)
    found = seen(sent, HTTP_TRANSFER_ENCODING="chunked")
    assert int(found.length or 0) > settings.LARGEST_BODY
    assert sent.tell() <= PIECE * 2
