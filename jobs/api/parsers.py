"""Job descriptions pass as bytes: switchyard.scheduling.spec parses them and reports errors with their places."""

from collections.abc import Mapping
from typing import IO, Any, Literal

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser


class JsonDescription(BaseParser):
    """Pass on a JSON text as it came."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body: bytes = stream.read()
        return body


class YamlDescription(JsonDescription):
    """Pass on a YAML text as it came."""

    media_type = "application/yaml"


class OtherYamlDescription(JsonDescription):
    """Pass on a YAML text under the name that was used before RFC 9512."""

    media_type = "application/x-yaml"


class TextYamlDescription(JsonDescription):
    """Pass on a YAML text under its oldest name."""

    media_type = "text/yaml"


class EmptyForm(BaseParser):
    """Take a form without fields for no body at all: some clients send one with each POST."""

    media_type = "multipart/form-data"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        if b"\n" in stream.read().strip():
            raise UnsupportedMediaType(self.media_type)
        return b""


DESCRIPTIONS = (JsonDescription, YamlDescription, OtherYamlDescription, TextYamlDescription)


def format_of(content_type: str) -> Literal["json", "yaml"] | None:
    """Return the format that a content type says."""
    if not content_type:
        return None
    return "json" if content_type.startswith("application/json") else "yaml"
