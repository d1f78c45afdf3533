"""Parsing of JSON bodies, other than job descriptions: what PostgreSQL cannot store is refused before any view sees it."""

import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LARGEST_NUMBER = 10**300


class CleanJson(JSONParser):
    """Reads JSON without NUL, lone surrogates and numbers beyond all measure."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            data = super().parse(stream, media_type, dict(parser_context or {}))
            _check(data)
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        return data


def _check(value: object) -> None:
    match value:
        case str():
            if _UNSTORABLE.search(value):
                raise ParseError("The body has control characters that cannot be stored.")
        case dict():
            for key, item in value.items():
                _check(key)
                _check(item)
        case list():
            for item in value:
                _check(item)
        case int() | float():
            if abs(value) > LARGEST_NUMBER:
                raise ParseError("The body has a number that is too large.")
