"""What tests of this wire share: a client that decodes strictly, and what was recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.wires.ballista.decoders import SHAPES

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> Any:
    """Return what the contract says of something."""
    return json.loads((RECORDED / f"{name}.json").read_text())


@pytest.fixture
def told(viewer: Client) -> Callable[..., Any]:
    """Ask a route by its path as SHAPES names it, decode the answer strictly, and return it as plain values."""

    def ask(route: str, query: str = "", **names: str) -> Any:
        answer = viewer.get(route.format(**names) + query)
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == "application/json"
        text = b"".join(answer)
        SHAPES[route].validate_json(text)
        return json.loads(text)

    return ask
